"""When something happened in one run, seen, not yet seen, or already over, as an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Assessment, Verdict

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Timing:
    """When something happened in one run, as far as is known.

    Attributes:
        at: Position (tokens or steps); NaN when it was not seen.
        lo, hi: It lies between these: ``hi`` = infinity when it had not happened by the end of the
            run (``lo``), ``lo`` = 0 when it had happened before the first reading (``hi``), both
            when nothing is known.

    >>> Timing.not_by(1e9).lo
    1000000000.0
    """

    at: float
    lo: float
    hi: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.lo <= self.hi or (not math.isnan(self.at) and not self.at > 0.0):
            raise ValueError(f"need 0 ≤ lo ≤ hi and at > 0, got {self.at}, {self.lo}, {self.hi}")
        if not math.isnan(self.at) and not self.lo <= self.at <= self.hi:
            raise ValueError(f"at must lie in its interval, got {self.at}, {self.lo}, {self.hi}")

    @classmethod
    def not_by(cls, end: float) -> Timing:
        """Return a right-censored timing: it had not happened when the run ended."""
        return cls(math.nan, end, math.inf)

    @classmethod
    def already_by(cls, first: float) -> Timing:
        """Return a left-censored timing: it had happened before the first reading."""
        return cls(math.nan, 0.0, first)

    @classmethod
    def unresolved(cls) -> Timing:
        """Return a timing that says nothing."""
        return cls(math.nan, 0.0, math.inf)

    @classmethod
    def of(cls, assessment: Assessment, end: float) -> Timing:
        """Read the timing off an assessed curve that ended at `end`.

        A curve on which nothing changed (``smooth``) is right-censored; pass `already_by` yourself
        for one that stands at its ceiling from the first reading on.
        """
        if assessment.verdict is Verdict.SMOOTH:
            return cls.not_by(end)
        if assessment.verdict is Verdict.UNRESOLVED or not math.isfinite(assessment.at):
            return cls.unresolved()
        ends = [v if math.isfinite(v) else assessment.at for v in (assessment.lo, assessment.hi)]
        return cls(assessment.at, min(ends[0], assessment.at), max(ends[1], assessment.at))

    def widened(self, grid: Array) -> Timing:
        """Return the timing with an interval that reaches at least to the readings around it."""
        if math.isnan(self.at):
            return self
        below, above = grid[grid < self.at], grid[grid > self.at]
        lo = min(self.lo, float(below.max())) if below.size else self.lo
        hi = max(self.hi, float(above.min())) if above.size else self.hi
        return Timing(self.at, lo, hi)
