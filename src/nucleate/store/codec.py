"""The words of the project as JSON types, and back.

Per-item scores are packed as base64 of little-endian float32: five bytes a score and a third,
NaN and infinities included.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Decision, Event, LedgerEntry, Mark, Reading, Step
from nucleate.store.columns import About, Batch, one_or_all
from nucleate.store.record import number


def pack_step(step: Step) -> dict[str, Any]:
    """Return a Step as JSON types."""
    return {
        "step": int(step.step),
        "tokens": int(step.tokens),
        "flops": float(step.flops),
        "wall": float(step.wall),
        "lr": float(step.lr),
    }


def unpack_step(data: Mapping[str, Any]) -> Step:
    """Read a Step."""
    return Step(
        int(data["step"]),
        int(data["tokens"]),
        number(data["flops"]),
        number(data["wall"]),
        number(data["lr"]),
    )


def pack_reading(step: Step, reading: Reading) -> dict[str, Any]:
    """Return a Reading and where it was taken as JSON types."""
    data = {
        "metric": reading.metric,
        "at": pack_step(step),
        "value": float(reading.value),
        "se": float(reading.se),
        "n": int(reading.n),
        "chance": float(reading.chance),
        "unit": reading.unit,
        "level": str(reading.level),
    }
    if len(reading.items):
        data["items"] = pack_items(reading.items)
    return data


def pack_readings(step: Step, readings: Sequence[Reading], items: str = "") -> dict[str, Any]:
    """Return Readings taken together as columns; one value stands for a column that is constant.

    Args:
        step: Where they were taken.
        readings: One or more.
        items: Name of the side file that holds their per-item scores.
    """
    data = {
        "at": pack_step(step),
        "metric": [reading.metric for reading in readings],
        "value": [_plain(reading.value) for reading in readings],
        "se": one_or_all([_plain(reading.se) for reading in readings]),
        "n": one_or_all([int(reading.n) for reading in readings]),
        "chance": one_or_all([_plain(reading.chance) for reading in readings]),
        "unit": one_or_all([reading.unit for reading in readings]),
        "level": one_or_all([str(reading.level) for reading in readings]),
    }
    return {**data, "items": items} if items else data


def batch_of_readings(at: Step, data: Mapping[str, Any]) -> Batch:
    """Read what `pack_readings` made."""
    about = About(data["chance"], data["unit"], data["level"], str(data.get("items", "")))
    return Batch(at, tuple(data["metric"]), data["value"], data["se"], data["n"], about)


def batch_of_reading(at: Step, data: Mapping[str, Any]) -> Batch:
    """Read what `pack_reading` made; its items stay packed, as ``{"packed": TEXT}``."""
    items = {"packed": str(data["items"])} if "items" in data else ""
    about = About(data["chance"], str(data["unit"]), str(data["level"]), items)
    return Batch(at, (str(data["metric"]),), [data["value"]], data["se"], data["n"], about)


def _plain(value: float) -> float | str | None:
    """Return a number as strict JSON holds it."""
    value = float(value)
    if -math.inf < value < math.inf:
        return value
    return None if math.isnan(value) else ("inf" if value > 0 else "-inf")


def pack_items(items: Sequence[float]) -> str:
    """Return per-item scores as text; they are rounded to float32."""
    with np.errstate(over="ignore"):
        packed = np.asarray(items, dtype=np.float64).astype("<f4")
    return base64.b64encode(packed.tobytes()).decode("ascii")


def unpack_items(text: str) -> NDArray[np.float32]:
    """Read per-item scores, shape ``(n,)``."""
    packed = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    return packed.astype(np.float32)


def pack_event(event: Event) -> dict[str, Any]:
    """Return an Event as JSON types."""
    return {"at": pack_step(event.step), "kind": event.kind, "text": event.text}


def unpack_event(data: Mapping[str, Any]) -> Event:
    """Read an Event."""
    return Event(unpack_step(data["at"]), str(data["kind"]), str(data["text"]))


def pack_decision(decision: Decision) -> dict[str, Any]:
    """Return a Decision as JSON types."""
    return {
        "at": pack_step(decision.step),
        "rule": decision.rule,
        "pulls": dict(decision.pulls),
        "evidence": dict(decision.evidence),
    }


def unpack_decision(data: Mapping[str, Any]) -> Decision:
    """Read a Decision."""
    at = unpack_step(data["at"])
    return Decision(at, str(data["rule"]), dict(data["pulls"]), dict(data["evidence"]))


def pack_entry(entry: LedgerEntry) -> dict[str, Any]:
    """Return a ledger entry as JSON types; energy and carbon only where they are known."""
    data = {
        "part": entry.part,
        "flops": float(entry.flops),
        "seconds": float(entry.seconds),
        "mark": str(entry.mark),
    }
    known = {"kwh": float(entry.kwh), "kg_co2e": float(entry.kg_co2e)}
    return data | {key: value for key, value in known.items() if math.isfinite(value)}


def unpack_entry(data: Mapping[str, Any]) -> LedgerEntry:
    """Read a ledger entry."""
    return LedgerEntry(
        part=str(data["part"]),
        flops=number(data["flops"]),
        seconds=number(data["seconds"]),
        mark=Mark(data["mark"]),
        kwh=number(data.get("kwh")),
        kg_co2e=number(data.get("kg_co2e")),
    )
