"""The last lines of a run's log, read from its end, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.store.log import segments
from nucleate.store.record import decode, number
from nucleate.store.writer import LOG
from nucleate.views.labels import number as written

BYTES = 1 << 16
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One record: when, at which step, of which kind, and what it says."""

    time: str
    step: str
    kind: str
    text: str


def last_lines(run: Path, most: int = 40, size: int = BYTES) -> list[Line]:
    """Return the last records of a log, the newest first: of rank 0 before those of others.

    Args:
        run: The run folder.
        most: Records at most.
        size: Bytes that are read from the end at most.
    """
    lines: list[Line] = []
    for segment, rank, path in sorted(segments(run / LOG), key=lambda x: (-x.attempt, x.rank)):
        try:
            with path.open("rb") as file:
                end = file.seek(0, 2)
                begin = max(0, end - size)
                file.seek(begin)
                content = file.read(size)
        except OSError:
            continue
        parts = content.split(b"\n")[1 if begin else 0 : -1]
        for part in reversed(parts):
            record = decode(part, segment, rank)
            if record is None:
                continue
            at = record.data.get("at")
            step = str(at["step"]) if isinstance(at, Mapping) and "step" in at else ""
            when = _moment(record.time)
            lines.append(Line(when, step, record.kind, _text(record.kind, record.data)))
            if len(lines) == most:
                return lines
        if begin:
            return lines
    return lines


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return ""


def _text(kind: str, data: Mapping[str, Any]) -> str:
    try:
        if kind == "loss":
            loss, norm = number(data["loss"]), number(data["grad_norm"])
            return f"loss {written(loss, 3)}, gradient norm {written(norm, 2)}"
        if kind == "reading":
            value, error = number(data["value"]), number(data["se"])
            ends = f" ± {written(error, 3)}" if error > 0 else ""
            return f"{data['metric']} {written(value, 3)}{ends} {data['unit']}".strip()
        if kind == "readings":
            names, values = data["metric"], data["value"]
            pairs = zip(names, values, strict=True)
            told = ", ".join(f"{name} {written(number(value), 3)}" for name, value in pairs)
            return f"{len(names)} readings: {told}"[:LONGEST]
        if kind == "event":
            return f"{data['kind']}: {data['text']}"[:LONGEST]
        if kind == "decision":
            return f"{data['rule']}: {json.dumps(data['pulls'], ensure_ascii=False)}"[:LONGEST]
    except (KeyError, TypeError, ValueError):
        pass
    rest = {key: value for key, value in data.items() if key not in ("at", "items", "entries")}
    return json.dumps(rest, ensure_ascii=False)[:LONGEST] if rest else ""
