"""The changes of a whole table of curves as rows, in order of evidence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Assessment, Curve, Flag, Transition, Verdict
from nucleate.views.rows import GLYPHS, VerdictRow, overall

if TYPE_CHECKING:
    from nucleate.detect import Findings

ORDER = tuple(GLYPHS)
"""Verdicts, the strongest first."""

UNKNOWN = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one curve, or the statement that there is none.

    Attributes:
        title: The metric, ``ln`` before it where its logarithm was judged.
        name: The same with its run, where the table has several.
        row: What the views of a run show of a change; its level holds the colour class.
        curve, found: The curve as it was judged, and all that is said about it.
        transition: The sharp change; None where none is claimed.
        gap: Decades between the readings around the change, on the grid that was analysed; NaN
            when nothing changed.
        onset_interval: Where the change stands clear of its beginning; NaN when unknown.
        flags: Kinds of the reasons to distrust this very metric, or the place of the change.
    """

    run: str
    title: str
    name: str
    row: VerdictRow
    curve: Curve
    found: Assessment
    transition: Transition | None
    gap: float
    onset_interval: tuple[float, float]
    flags: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """Name of the metric, as the table has it."""
        return self.curve.metric

    @property
    def verdict(self) -> Verdict:
        """The verdict as the rest of the project spells it."""
        return self.row.verdict

    @property
    def sharp(self) -> bool:
        """Whether a smooth trend cannot explain this change."""
        return self.row.sharp

    @property
    def says(self) -> str:
        """The verdict; a broad fall by its direction, and movement that nothing explains."""
        if self.row.unexplained or self.row.says == "broad fall":
            return self.row.says
        return str(self.verdict)

    @property
    def glyph(self) -> str:
        """Name of the small drawing beside the verdict."""
        return self.row.glyph

    @property
    def width_interval(self) -> tuple[float, float]:
        """95 % interval of the width, in decades."""
        return self.transition.width_interval if self.transition else UNKNOWN

    @property
    def amplitude_interval(self) -> tuple[float, float]:
        """95 % interval of the amplitude."""
        return self.transition.amplitude_interval if self.transition else UNKNOWN


def changes(findings: Findings) -> list[Change]:
    """Return one row for each sharp change and one for each curve without, by evidence.

    Sharp changes come by verdict, then by q, p and likelihood ratio; broad ones the narrowest
    first, because those are nearest to being sharp.
    """
    several = len(findings.book.runs) > 1
    rows = [
        change
        for run, curve in findings.book.curves()
        if (found := findings.assessments.get(run, {}).get(curve.metric)) is not None
        for change in _of_curve(run, curve, found, several)
    ]
    flagged = [replace(row, flags=_flags_of(row, findings.flags)) for row in rows]
    return sorted(flagged, key=_evidence)


def strongest(rows: Sequence[Change]) -> list[Change]:
    """Return the first row of each curve."""
    seen: dict[tuple[str, str], Change] = {}
    for row in rows:
        seen.setdefault((row.run, row.metric), row)
    return list(seen.values())


def counts(rows: Sequence[Change]) -> Mapping[str, int]:
    """Return how many curves each verdict was passed on, strongest first."""
    return Counter(row.says for row in strongest(rows))


def disturbances(findings: Findings) -> Iterator[tuple[str, Transition]]:
    """Yield the spikes and restarts with their run, in the order of the source."""
    for run, curve in findings.book.curves():
        found = findings.assessments.get(run, {}).get(curve.metric)
        for change in found.disturbances if found else ():
            yield run, change


def judged(curve: Curve) -> Curve:
    """Return a curve as the detector looks at it: perplexities by their logarithm, in nats."""
    from nucleate.detect.family import by_logarithm

    if not by_logarithm(curve):
        return curve
    values = [value if value > 0 else math.nan for value in curve.values]
    return replace(
        curve,
        unit="nats",
        chance=math.log(curve.chance) if curve.chance > 0 else math.nan,
        values=tuple(math.log(value) for value in values),
        se=tuple(error / value for error, value in zip(curve.se, values, strict=True)),
    )


def grid(curve: Curve) -> NDArray[np.float64]:
    """Return the log10 positions at which a curve was analysed: dense curves are averaged."""
    from nucleate.detect.series import clean

    return clean(curve.tokens, curve.values, curve.se).x


def gap_at(curve: Curve, at: float) -> float:
    """Return the decades between the readings around a position; NaN outside of the curve."""
    x = grid(curve)
    if not math.isfinite(at) or at <= 0 or x.size < 2:
        return math.nan
    place = math.log10(at)
    near = int(np.argmin(np.abs(x - place)))
    if abs(float(x[near]) - place) < 1e-6:
        # A change placed on a reading lies beside it, on either side.
        return float(np.max(np.diff(x[max(near - 1, 0) : near + 2])))
    right = int(np.searchsorted(x, place))
    return float(x[right] - x[right - 1]) if 0 < right < x.size else math.nan


def onset_interval(found: Assessment) -> tuple[float, float]:
    """Return the 95 % interval of the onset of a broad change; NaN when it is not stated."""
    given = getattr(found, "onset_interval", None)
    if given is not None:
        return float(given[0]), float(given[1])
    stated = re.search(r"onset between (\S+) and ([^\s,;]+)", found.note)
    return (float(stated[1]), float(stated[2])) if stated else UNKNOWN


def _of_curve(run: str, curve: Curve, found: Assessment, several: bool) -> Iterator[Change]:
    from nucleate.detect.family import by_logarithm

    title = f"ln {curve.metric}" if by_logarithm(curve) else curve.metric
    name = f"{title} ({run})" if run and several else title
    curve = judged(curve)
    base = overall(found, curve)
    for change in found.transitions:
        row = replace(
            base,
            level="sharp",
            verdict=change.verdict,
            at=change.at,
            lo=change.lo,
            hi=change.hi,
            width=change.width,
            amplitude=change.amplitude,
            p=change.evidence.p,
            q=change.evidence.q,
        )
        gap = gap_at(curve, change.at)
        yield Change(run, title, name, row, curve, found, change, gap, change.onset_interval)
    if not found.transitions:
        colour = "broad" if found.verdict is Verdict.BROAD_RISE else "quiet"
        row = replace(base, level=colour)
        gap = gap_at(curve, found.at)
        yield Change(run, title, name, row, curve, found, None, gap, onset_interval(found))


def _flags_of(row: Change, flags: Sequence[Flag]) -> tuple[str, ...]:
    """Return the kinds of flags that name the metric, or that lie where the run changes."""
    kinds: dict[str, None] = {}
    for flag in flags:
        here = any(row.row.lo <= at <= row.row.hi for at in flag.at)
        about = row.metric in flag.metrics or (not flag.metrics and here)
        if about and (not flag.runs or row.run in flag.runs):
            kinds[flag.kind] = None
    return tuple(kinds)


def _evidence(change: Change) -> tuple[float, ...]:
    rank = float(ORDER.index(change.verdict))
    if change.transition is None:
        width = change.row.width if math.isfinite(change.row.width) else math.inf
        return (rank, 0.0 if change.row.unexplained else 1.0, width, 0.0)
    evidence = change.transition.evidence
    q = evidence.q if evidence.q is not None else evidence.p
    return (rank, q, evidence.p, -evidence.likelihood_ratio)
