"""The local log of Weights & Biases, ``run-ID.wandb``: what was logged, without the package.

The file is a log in LevelDB's framing (blocks of 32 KiB, records in fragments, a CRC-32 each) whose
records are protocol-buffer messages. Only two of them are of interest: what the run is called, and
the rows of its history.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nucleate.bridges.tables.columns import WENT_BACK, Table
from nucleate.bridges.tables.records import table_of
from nucleate.bridges.tables.streams import read_all
from nucleate.core import DataError

MAGIC = b":W&B"
_HEADER, _BLOCK = 7, 32_768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MAX_FILES = 10_000

_HISTORY, _RUN = 2, 17
"""Fields of a record: a row of the history, and the run."""

_RUN_ID, _DISPLAY_NAME = 1, 8
_ITEM, _STEP = 1, 2
_KEY, _NESTED_KEY, _INTEGER, _NUMBER, _JSON = 1, 2, 5, 6, 16
"""Fields of an item; newer versions type their values, older ones write JSON."""


def find_logs(folder: Path) -> list[Path]:
    """Return the logs below a folder, each once: ``latest-run`` is a link to one of them."""
    patterns = ("*.wandb", "*run-*/*.wandb", "wandb/*run-*/*.wandb")
    found = {path.resolve(): None for pattern in patterns for path in folder.glob(pattern)}
    return sorted(found)[:_MAX_FILES]


def wandb_table(files: list[Path], root: Path) -> Table:
    """Read the history of every log.

    Raises:
        DataError: A file is none, or nothing was logged.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for path in files:
        names = {"run_name": path.stem.removeprefix("run-"), "run_id": path.stem}
        own: list[dict[str, Any]] = []
        try:
            for record in _records(read_all(path), path):
                fields = _fields(record)
                if _RUN in fields:
                    names |= _names(_fields(fields[_RUN][-1]))
                own += [_row(_fields(packed)) for packed in fields.get(_HISTORY, ())]
        except _Damaged as damage:
            notes.append(f"{path.name} was read up to {damage}.")
        rows += [{**row, **names} for row in own if row]
    if not rows:
        raise DataError("no metrics were logged yet", where=root)
    return table_of(rows, str(root), notes=tuple(notes), replaces=WENT_BACK)


class _Damaged(Exception):  # noqa: N818 (a run that still writes looks the same)
    """The log ends here, or cannot be read on."""


def _records(data: bytes, path: Path) -> Iterator[bytes]:
    """Yield the records of a log, put together from their fragments."""
    if not data.startswith(MAGIC) or len(data) < _HEADER:
        raise DataError("is no log of W&B", where=path)
    place, parts = _HEADER, b""
    while place + _HEADER <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER:  # too little room for a fragment: the block ends in zeros
            place += left
            continue
        check, size, kind = struct.unpack_from("<IHB", data, place)
        fragment = data[place + _HEADER : place + _HEADER + size]
        place += _HEADER + size
        if not size and not kind:
            raise _Damaged("an empty record")
        if len(fragment) < size:
            raise _Damaged("a record that is cut off")
        if zlib.crc32(fragment, zlib.crc32(bytes([kind]))) != check:
            raise _Damaged("a damaged record")
        parts = fragment if kind in (_FULL, _FIRST) else parts + fragment
        if kind in (_FULL, _LAST):
            yield parts


def _fields(message: bytes) -> dict[int, list[Any]]:
    """Return the fields of a message by number: numbers as integers, the rest as bytes."""
    found: dict[int, list[Any]] = {}
    place = 0
    try:
        while place < len(message):
            tag, place = _varint(message, place)
            kind = tag & 7
            if kind == 0:
                value, place = _varint(message, place)
                found.setdefault(tag >> 3, []).append(value)
                continue
            size = {1: 8, 5: 4}.get(kind, -1)
            if kind == 2:
                size, place = _varint(message, place)
            if size < 0 or place + size > len(message):
                raise _Damaged("a malformed record")
            found.setdefault(tag >> 3, []).append(message[place : place + size])
            place += size
    except IndexError:
        raise _Damaged("a malformed record") from None
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise _Damaged("a malformed record")


def _names(run: dict[int, list[Any]]) -> dict[str, str]:
    named = {"run_id": _RUN_ID, "run_name": _DISPLAY_NAME}
    texts = {key: _text(run[field][-1]) for key, field in named.items() if field in run}
    return {key: text for key, text in texts.items() if text}


def _row(history: dict[int, list[Any]]) -> dict[str, Any]:
    """Return one row of the history: numbers by name, nested names joined by dots."""
    row: dict[str, Any] = {}
    for packed in history.get(_ITEM, ()):
        item = _fields(packed)
        name = ".".join(map(_text, item.get(_NESTED_KEY) or item.get(_KEY) or ()))
        value = _value(item)
        if name and value is not None:
            row[name] = value
    if row and "_step" not in row and _STEP in history:
        row["_step"] = _fields(history[_STEP][-1]).get(1, [0])[-1]
    return row


def _value(item: dict[int, list[Any]]) -> Any:
    if _NUMBER in item:
        return struct.unpack("<d", item[_NUMBER][-1])[0]
    if _INTEGER in item:  # zigzag: the sign is the last bit
        packed = item[_INTEGER][-1]
        return (packed >> 1) ^ -(packed & 1)
    try:
        found = json.loads(item[_JSON][-1]) if _JSON in item else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (int, float, dict)) else None


def _text(raw: Any) -> str:
    return raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else ""
