"""Open what a user names: plain or gzipped, bounded in size, decoded, one line at a time."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nucleate.core import DataError

HEAD = 65_536
"""Bytes that are looked at to recognise a file."""

MAX_BYTES = 4 * 1024**3
"""Most bytes of unpacked text that are read."""

MAX_LINE = 32 * 1024**2
"""Longest line, in characters."""

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, unpacked where it is gzipped.

    Raises:
        DataError: It is missing, unreadable, or damaged (also while it is read).
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except FileNotFoundError:
        raise DataError("no such file or folder", where=path) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError("is cut off or damaged (gzip)", where=path, fix="copy it again") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path) from None


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with opened(path) as stream:
        return stream.read(HEAD)


def read_all(path: Path, limit: int = 1024**3) -> bytes:
    """Return a whole file, unpacked, of at most `limit` bytes."""
    with opened(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise DataError(
            f"more than {limit // 1024**2:,} MiB in one piece", where=path, fix="write JSON lines"
        )
    return content


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a text file without their ends.

    UTF-8 (with or without its mark), UTF-16 with a mark, else Latin-1.

    Raises:
        DataError: It is binary, or larger than `MAX_BYTES`, or has a line beyond `MAX_LINE`.
    """
    encoding = encoding_of(head_of(path), path)
    with opened(path) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline=None)
        read, tail = 0, ""
        while block := text.read(_BLOCK):
            read += len(block)
            *whole, tail = (tail + block).split("\n")
            if len(tail) > MAX_LINE or read > MAX_BYTES:
                what = "a line is" if len(tail) > MAX_LINE else "unpacked text is"
                raise DataError(f"{what} too long to be a table of metrics", where=path)
            yield from whole
        if tail:
            yield tail


def encoding_of(head: bytes, path: Path) -> str:
    """Return the encoding of a text from its first bytes.

    Raises:
        DataError: They are no text.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    if b"\0" in head or control > 0.01 * len(head):
        raise DataError(
            "binary, and no format that is known here",
            where=path,
            fix="export it as CSV, JSONL or Parquet",
        )
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return "latin-1"
    return "utf-8-sig"


def reject_overlong(columns: int, source: str, limit: int = 20_000) -> None:
    """Refuse tables whose columns cannot all be metrics."""
    if columns > limit:
        raise DataError(f"{columns:,} columns", where=source, expected=f"at most {limit:,}")
