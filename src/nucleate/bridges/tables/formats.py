"""Recognise what a file holds by its first bytes; its name decides nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from nucleate.bridges.tables.streams import HEAD, encoding_of, head_of
from nucleate.bridges.tables.wandb_log import MAGIC
from nucleate.core import DataError

_FOREIGN = (
    (b"\x80\x02", "a pickled object"),
    (b"\x80\x03", "a pickled object"),
    (b"\x80\x04", "a pickled object"),
    (b"\x80\x05", "a pickled object"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a single NumPy array"),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd"),
    (b"BZh", "a file packed with bzip2"),
    (b"\xfd7zXZ", "a file packed with xz"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
)


def format_of(path: Path) -> str:
    """Return ``parquet``, ``npz``, ``sqlite``, ``events``, ``wandb``, ``json``, ``jsonlines`` …

    The last is ``delimited``.

    Raises:
        DataError: The file is missing, empty, or of a format that holds no table of metrics.
    """
    head = head_of(path)
    if not head.strip():
        raise DataError("is empty", where=path, expected="a table of training metrics")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if b"brain.Event:" in head[:64]:
        return "events"
    if head.startswith(MAGIC):
        return "wandb"
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    kind = next((kind for magic, kind in _FOREIGN if head.startswith(magic)), "")
    if not kind and head[8:9] == b"{" and b"\0" in head[:8]:
        kind = "model weights (safetensors)"
    if kind:
        raise DataError(
            f"{kind}, no table of metrics",
            where=path,
            expected="a column of training steps beside metrics",
            fix="export CSV, JSONL or Parquet",
        )
    return _text_format(head.decode(encoding_of(head, path), errors="replace"), len(head) < HEAD)


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"is a damaged zip file: {error}", where=path) from None
    if any(name.endswith(".npy") for name in names):
        return "npz"
    kind = "a zip file"
    if any(name.startswith("xl/") for name in names):
        kind = "an Excel workbook"
    elif any(name.endswith("data.pkl") for name in names):
        kind = "model weights (PyTorch)"
    raise DataError(f"{kind}, no table of metrics", where=path, fix="save it as CSV")


def _text_format(text: str, whole: bool) -> str:
    """Tell JSON, JSON lines and delimited text apart."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped[:1] not in ("{", "["):
        return "delimited"
    first, newline, rest = stripped.partition("\n")
    if first.startswith("{") and (rest.strip() or not (whole or newline)):
        try:
            return "jsonlines" if isinstance(json.loads(first), dict) else "json"
        except RecursionError:
            return "json"
        except ValueError:
            # One record may be longer than what was looked at; a document seldom begins so.
            return "jsonlines" if not newline else "json"
    return "json"
