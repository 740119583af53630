"""A local log of Weights & Biases: records in blocks, each with its checksum."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any


def wandb_log(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return a log that holds one row of history for each of these."""
    out = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    for number, row in enumerate(rows):
        items = b"".join(
            _field(1, _field(1, name) + _field(16, json.dumps(value)))
            for name, value in row.items()
        )
        record = _field(1, number + 1) + _field(2, items)
        check = zlib.crc32(record, zlib.crc32(b"\x01"))
        out += struct.pack("<IHB", check, len(record), 1) + record
    return out


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data
