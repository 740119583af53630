"""One record of the log: a JSON line that carries the CRC-32 of its own bytes.

A line reads ``{"crc":"1f0a99c2","kind":"loss","time":1760000000.25,"data":{…}}`` and a newline.
The checksum is taken over the exact bytes between ``"1f0a99c2",`` and the newline, so that a
reader verifies what is on the disk and never has to serialise anything again, while the line as
a whole stays strict JSON for jq, DuckDB and the like.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_OPEN = b'{"crc":"'
_CLOSE = b'",'
_BODY = len(_OPEN) + 8 + len(_CLOSE)
_decode = json.JSONDecoder().raw_decode
_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Record:
    """One verified record.

    Attributes:
        kind: ``start``, ``reading``, ``loss``, ``event``, ``ledger``, ``finish`` …
        time: When it was written, in seconds since 1970.
        data: Its content, as JSON types.
        segment: Attempt whose segment it stands in (1 for the first process start).
        rank: Rank of the process that wrote it.
    """

    kind: str
    time: float
    data: dict[str, Any]
    segment: int = 0
    rank: int = 0


def encode(kind: str, time: float, data: Mapping[str, Any]) -> bytes:
    """Return the line of a record; NaN becomes null and infinities the text ``inf``, ``-inf``."""
    fields = {"kind": kind, "time": time, "data": data}
    try:
        text = _encoder.encode(fields)
    except ValueError:  # a number that strict JSON cannot hold
        text = _encoder.encode(_strict(fields))
    body = text[1:].encode("ascii")
    return b"%s%08x%s%s\n" % (_OPEN, zlib.crc32(body), _CLOSE, body)


def verified(line: bytes) -> bool:
    """Tell whether a line (without its newline) is exactly what was written."""
    body = line[_BODY:]
    return line[:_BODY] == b"%s%08x%s" % (_OPEN, zlib.crc32(body), _CLOSE)


def decode(line: bytes, segment: int, rank: int = 0) -> Record | None:
    """Read a line (without its newline); None when its checksum or its shape is wrong."""
    if not verified(line):
        return None
    try:
        fields, _ = _decode(line.decode("ascii"))
        kind, time, data = fields["kind"], fields["time"], fields["data"]
        if type(kind) is str and type(time) is float and type(data) is dict:
            return Record(kind, time, data, segment, rank)
        return Record(str(kind), float(time), dict(data), segment, rank)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def number(value: float | str | None) -> float:
    """Read back a number that may have been NaN (null) or infinite (text)."""
    return math.nan if value is None else float(value)


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return value
