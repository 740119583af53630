"""The table of verdicts that the report and the terminal share: one row per change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.core import Assessment, Curve, Transition, Verdict
from nucleate.views.labels import SHARP, level_rank, measure_name, metric_name, stem_of

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis

GLYPHS = {
    Verdict.TRANSITION_CANDIDATE: "candidate",
    Verdict.STEP_LIKE: "step",
    Verdict.KINK: "kink",
    Verdict.METRIC_ARTEFACT: "artefact",
    Verdict.BROAD_RISE: "broad",
    Verdict.SMOOTH: "flat",
    Verdict.UNRESOLVED: "unknown",
}

LAST_READINGS = 5
"""Readings at the end of a curve that decide whether it stands at chance."""

MOVED = 8.0
"""Standard errors between the lowest and the highest reading that noise alone does not reach:
the range of 100 independent normal numbers exceeds 7.2 in one case of a thousand (simulated)."""


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
        unexplained: Whether the readings move although no change was found, see `moves`.
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
    unexplained: bool
    note: str

    @property
    def stem(self) -> str:
        """The metric without its measure."""
        return stem_of(self.metric)

    @property
    def sharp(self) -> bool:
        """Whether a smooth trend cannot explain this change."""
        return self.verdict in SHARP

    @property
    def says(self) -> str:
        """The verdict, with what else is known of a curve that is not sharp."""
        if self.at_chance and not self.unexplained:
            return "never left chance"
        if self.unexplained:
            return "moves, no verdict"
        if self.verdict is Verdict.SMOOTH:
            return "no change shown"
        falls = self.verdict is Verdict.BROAD_RISE and self.amplitude < 0
        return "broad fall" if falls else str(self.verdict)

    @property
    def amplitude_unit(self) -> str:
        """Unit of the amplitude; for a kink it is a change of slope, per decade of tokens."""
        unit = "" if self.unit == "fraction" else self.unit
        return f"{unit or 'share'} per decade" if self.verdict is Verdict.KINK else unit

    @property
    def glyph(self) -> str:
        """Name of the small drawing beside the verdict."""
        if self.unexplained:
            return GLYPHS[Verdict.UNRESOLVED]
        return "fall" if self.says == "broad fall" else GLYPHS[self.verdict]

    @property
    def level_index(self) -> int:
        """Place of the level in the customary order."""
        return level_rank(self.level)


def verdict_rows(analysis: Analysis) -> list[VerdictRow]:
    """Return the rows of a run: by level, then by where the metric first changed.

    An accuracy and its margin stand together, the accuracy first; what never changed comes last.
    """
    rows = [
        row
        for metric, found in analysis.assessments.items()
        if metric in analysis.curves
        for row in _rows_of(found, analysis.curves[metric])
    ]
    first: dict[str, float] = {}
    for row in rows:
        at = row.at if math.isfinite(row.at) else math.inf
        first[row.stem] = min(at, first.get(row.stem, math.inf))
    return sorted(
        rows,
        key=lambda row: (row.level_index, first[row.stem], row.stem, row.metric, row.at),
    )


def never_left_chance(curve: Curve, found: Assessment) -> bool:
    """Return whether a curve without any change stands at its chance from beginning to end.

    Its last readings average to within two standard errors of chance, and one reading at most
    stands beyond three.
    """
    if found.verdict is not Verdict.SMOOTH or not math.isfinite(curve.chance):
        return False
    values = np.array(curve.values, dtype=np.float64)
    away = np.abs(values[np.isfinite(values)] - curve.chance)
    if not away.size:
        return False
    # The same items are asked each time, so averaging readings does not shrink their error.
    error = _typical_error(curve)
    at_end = abs(float(np.nanmean(values[-LAST_READINGS:])) - curve.chance)
    return at_end <= 2.0 * error and int(np.sum(away > 3.0 * error)) <= 1


def moves(curve: Curve, found: Assessment) -> bool:
    """Return whether a curve on which no change was found moves by more than its error bars.

    Then "no change" would be untrue: a hump that comes back, or a rise just before the end.
    """
    values = np.array(curve.values, dtype=np.float64)
    values = values[np.isfinite(values)]
    known = any(math.isfinite(error) for error in curve.se)
    if found.verdict is not Verdict.SMOOTH or not values.size or not known:
        return False
    return float(np.ptp(values)) > MOVED * _typical_error(curve)


def _typical_error(curve: Curve) -> float:
    """Return the median standard error; a hundredth where none is known."""
    errors = np.array(curve.se, dtype=np.float64)
    errors = errors[np.isfinite(errors)]
    return float(np.median(errors)) if errors.size else 0.01


def grouped(rows: Sequence[VerdictRow]) -> list[tuple[str, list[str]]]:
    """Group metrics by what is said of them, strongest first.

    Measures are named only where the measures of one metric differ.
    """
    order = list(GLYPHS)
    groups: dict[str, dict[str, list[str]]] = {}
    for row in sorted(
        rows, key=lambda row: (order.index(row.verdict), row.at_chance, row.level_index)
    ):
        measures = groups.setdefault(row.says, {}).setdefault(row.stem, [])
        if measure_name(row.metric) not in measures:
            measures.append(measure_name(row.metric))
    said: dict[str, set[str]] = {}
    for row in rows:
        said.setdefault(row.stem, set()).add(row.says)
    return [
        (
            says,
            [
                stem if len(said[stem]) == 1 else f"{stem} ({' and '.join(sorted(measures))} only)"
                for stem, measures in stems.items()
            ],
        )
        for says, stems in groups.items()
    ]


def by_metric(rows: Sequence[VerdictRow]) -> Mapping[str, VerdictRow]:
    """Return the first row of each metric."""
    return {row.metric: row for row in reversed(rows)}


def overall(found: Assessment, curve: Curve) -> VerdictRow:
    """Return one row for a whole curve, whatever the number of its transitions."""
    return _row(found, found, curve)


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
        unexplained=moves(curve, found),
        note=found.note,
    )
