"""The table of verdicts that the report and the terminal share: one row per change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.core import Assessment, Curve, Transition, Verdict
from nucleate.views.labels import SHARP, level_rank, metric_name

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis

LAST_READINGS = 5
"""Readings at the end of a curve that decide whether it stands at chance."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One change of one metric, or the statement that there is none.

    Attributes:
        name: Plain words for the metric.
        at, lo, hi: Tokens; NaN when nothing changed.
        width: Decades.
        amplitude: In `unit`.
        p, q: None where no sharp change is claimed.
        at_chance: Whether the metric never left chance.
        note: The detector's sentence.
    """

    metric: str
    name: str
    level: str
    unit: str
    verdict: Verdict
    at: float
    lo: float
    hi: float
    width: float
    amplitude: float
    p: float | None
    q: float | None
    at_chance: bool
    note: str

    @property
    def sharp(self) -> bool:
        """Whether a smooth trend cannot explain this change."""
        return self.verdict in SHARP


def verdict_rows(analysis: Analysis) -> list[VerdictRow]:
    """Return the rows of a run, by level, then by location; what never changed comes last."""
    rows = [
        row
        for metric, found in analysis.assessments.items()
        if metric in analysis.curves
        for row in _rows_of(found, analysis.curves[metric])
    ]
    return sorted(
        rows,
        key=lambda row: (
            level_rank(row.level),
            row.at if math.isfinite(row.at) else math.inf,
            row.metric,
        ),
    )


def never_left_chance(curve: Curve, found: Assessment) -> bool:
    """Return whether a curve without any change ends within two standard errors of its chance."""
    if found.verdict is not Verdict.SMOOTH or not math.isfinite(curve.chance):
        return False
    values = np.array(curve.values[-LAST_READINGS:], dtype=np.float64)
    errors = np.array(curve.se[-LAST_READINGS:], dtype=np.float64)
    values, errors = values[np.isfinite(values)], errors[np.isfinite(errors)]
    if not values.size:
        return False
    # The same items are asked each time, so averaging readings does not shrink their error.
    error = float(np.median(errors)) if errors.size else 0.01
    return abs(float(values.mean()) - curve.chance) <= 2.0 * error


def by_metric(rows: list[VerdictRow]) -> Mapping[str, VerdictRow]:
    """Return the first row of each metric."""
    return {row.metric: row for row in reversed(rows)}


def _rows_of(found: Assessment, curve: Curve) -> list[VerdictRow]:
    changes: list[Assessment | Transition] = list(found.transitions) or [found]
    return [_row(found, change, curve) for change in changes]


def _row(found: Assessment, change: Assessment | Transition, curve: Curve) -> VerdictRow:
    if isinstance(change, Transition):
        amplitude, p, q = change.amplitude, change.evidence.p, change.evidence.q
    else:
        moved = found.verdict is Verdict.BROAD_RISE
        amplitude, p, q = (found.end - found.start if moved else math.nan), None, None
    return VerdictRow(
        metric=found.metric,
        name=metric_name(found.metric),
        level=str(curve.level),
        unit=curve.unit,
        verdict=change.verdict,
        at=change.at,
        lo=change.lo,
        hi=change.hi,
        width=change.width,
        amplitude=amplitude,
        p=p,
        q=q,
        at_chance=never_left_chance(curve, found),
        note=found.note,
    )
