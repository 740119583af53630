"""When an ability comes in a run: off chance, half of the way, and what the detector says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve
from nucleate.detect import assess
from nucleate.detect.runs.timing import Timing

ERRORS = 3.0
"""Standard errors by which a reading must lie above chance."""
IN_A_ROW = 2
"""Readings that must do so one after the other."""

Flags = NDArray[np.bool_]


def off_chance(curve: Curve) -> Timing:
    """Return when a metric left chance: its first `IN_A_ROW` readings `ERRORS` errors above it."""
    values, se = np.array(curve.values), np.array(curve.se)
    return _first(
        curve, values - curve.chance > ERRORS * se, np.isfinite(values - curve.chance + se)
    )


def halfway(curve: Curve) -> Timing:
    """Return when a metric had come half of the way from chance to 1."""
    values = np.array(curve.values)
    return _first(curve, values >= (1 + curve.chance) / 2, np.isfinite(values - curve.chance))


def _first(curve: Curve, there: Flags, known: Flags) -> Timing:
    """Place the first readings that are there; those that are not known say nothing."""
    known &= curve.tokens > 0
    tokens, hits = curve.tokens[known], there[known]
    for i in range(len(hits) - IN_A_ROW + 1):
        if hits[i : i + IN_A_ROW].all():
            if not i:
                return Timing.already_by(float(tokens[0]))
            lo, hi = float(tokens[i - 1]), float(tokens[i])
            return Timing(math.sqrt(lo * hi), lo, hi)
    behind = np.flatnonzero(~hits)  # what only the last reading shows is not believed, nor denied
    return Timing.not_by(float(tokens[behind[-1]])) if behind.size else Timing.unresolved()


def told(curve: Curve) -> dict[str, Any]:
    """Return everything that is known of when a metric came, as JSON types."""
    found = assess(
        curve.tokens,
        curve.values,
        curve.se,
        n=curve.counts or None,
        metric=curve.metric,
        chance=curve.chance,
    )
    return {
        "off_chance": timing(off_chance(curve)),
        "halfway": timing(halfway(curve)),
        "detector": {
            "verdict": str(found.verdict),
            **{name: finite(getattr(found, name)) for name in ("at", "lo", "hi")},
        },
        "final": {"value": finite(curve.values[-1]), "se": finite(curve.se[-1])},
        "tokens": [int(x) for x in curve.tokens],
        "values": [finite(x) for x in curve.values],
    }


def timing(found: Timing) -> dict[str, float | None]:
    """Return a timing as JSON types; null where it has no end or was not seen."""
    return {name: finite(getattr(found, name)) for name in ("at", "lo", "hi")}


def read_timing(kept: dict[str, float | None]) -> Timing:
    """Return the timing that `timing` wrote."""
    at, lo, hi = (kept[name] for name in ("at", "lo", "hi"))
    return Timing(math.nan if at is None else at, lo or 0.0, math.inf if hi is None else hi)


def finite(value: float) -> float | None:
    """Return a number, or None where JSON has none for it."""
    return float(value) if math.isfinite(value) else None
