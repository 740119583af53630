"""Read texts from files, folders and Hugging Face datasets; every mistake is one line."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nucleate.core.errors import DataError

TEXT_SUFFIXES = (".txt", ".md", ".text")
JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".ndjson")
_SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES)

END_OF_TEXT = "<|endoftext|>"
"""What separates documents in many published text files."""


def read_source(source: str, field: str) -> Iterator[str]:
    """Yield every text of a file, a folder of files, or ``hf:NAME[:SPLIT]``.

    Args:
        source: Files that end in `JSON_SUFFIXES` hold one JSON object a line; others are plain
            text, cut at `END_OF_TEXT` where that stands, else at blank lines.
        field: Key of the text in JSON lines and datasets.

    Raises:
        DataError: The source is missing, unreadable or of another shape.
    """
    if source.startswith("hf:"):
        yield from _read_dataset(source, field)
        return
    path = Path(source)
    try:
        exists = path.exists()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=source) from None
    if not exists:
        raise DataError("no such file or folder", where=path, fix="check the path")
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise DataError("cannot be read: Permission denied", where=path)
        files = sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES))
        if not files:
            raise DataError(
                "folder holds no text", where=path, expected=" ".join(_SUFFIXES), fix="name a file"
            )
        for file in files:
            yield from _read_file(file, field)
        return
    yield from _read_file(path, field)


def _read_file(path: Path, field: str) -> Iterator[str]:
    try:
        if path.name.endswith(JSON_SUFFIXES):
            yield from _read_json_lines(path, field)
        else:
            yield from _paragraphs(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 text (byte {error.start})", where=path, fix="convert it to UTF-8"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot be read: {reason}", where=path) from None


def _read_json_lines(path: Path, field: str) -> Iterator[str]:
    opened: IO[str] = (
        gzip.open(path, "rt", encoding="utf-8-sig")  # noqa: SIM115 (closed by the with below)
        if path.suffix == ".gz"
        else path.open(encoding="utf-8-sig")
    )
    with opened as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(
                    "line is not JSON", where=where, got=line.strip(), fix="one object a line"
                ) from None
            text = record.get(field) if isinstance(record, dict) else None
            if not isinstance(text, str):
                keys = ", ".join(map(str, record)) if isinstance(record, dict) else "no object"
                raise DataError(
                    f"no text under key {field!r}", where=where, got=keys, fix="pass --field KEY"
                )
            if half_character(text):
                raise DataError("text holds half a character (a lone surrogate)", where=where)
            yield text.strip()


def half_character(text: str) -> bool:
    """Whether text cannot be written as UTF-8: JSON may escape one half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _paragraphs(text: str) -> Iterator[str]:
    """Split plain text into documents.

    ``<|endoftext|>`` separates documents; in a text without it, blank lines do, and what they
    separate is joined again up to about 2,000 characters.
    """
    if END_OF_TEXT in text:
        yield from (part.strip() for part in text.split(END_OF_TEXT))
        return
    gathered: list[str] = []
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        if paragraph.strip():
            gathered.append(paragraph.strip())
        if sum(map(len, gathered)) >= 2000:
            yield "\n\n".join(gathered)
            gathered = []
    if gathered:
        yield "\n\n".join(gathered)


def _read_dataset(source: str, field: str) -> Iterator[str]:
    try:
        import datasets
    except ImportError:
        raise DataError(
            "needs the package datasets", where=source, fix="pip install 'nucleate[data]'"
        ) from None
    name, _, split = source.removeprefix("hf:").partition(":")
    try:
        rows = (
            datasets.load_from_disk(name)
            if Path(name).exists()
            else datasets.load_dataset(name, split=split or "train")
        )
    except Exception as error:
        raise DataError(f"cannot load this dataset: {error}", where=source) from None
    if isinstance(rows, datasets.DatasetDict):
        known = ", ".join(map(str, rows))
        if (split or "train") not in rows:
            raise DataError(f"no split {split or 'train'!r}", where=source, got=known)
        rows = rows[split or "train"]
    if field not in rows.column_names:
        raise DataError(
            f"no column {field!r}", where=source, got=rows.column_names, fix="pass --field KEY"
        )
    for number, text in enumerate(rows[field]):
        if text is None:
            continue
        if not isinstance(text, str):
            raise DataError(
                f"column {field!r} holds no text", where=f"{source} row {number}", got=text
            )
        yield text.strip()
