"""The same metric in several runs: in how many of them it changes sharply, and where."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nucleate.views.detect.changes import Change, strongest
from nucleate.views.labels import span


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the runs say of one metric.

    Attributes:
        num_runs: Runs that hold the metric.
        num_sharp: Those in which it changes sharply.
        says: How many runs each verdict was passed on, strongest first.
        first, last: Range of the location of the strongest sharp change, or of the middle of the
            broad ones where none is sharp; NaN when nothing changed.
    """

    metric: str
    num_runs: int
    num_sharp: int
    says: Mapping[str, int]
    first: float
    last: float

    @property
    def verdicts(self) -> str:
        """The verdicts with their counts: ``2 step-like, 1 broad rise``."""
        return ", ".join(f"{num} {says}" for says, num in self.says.items())

    @property
    def where(self) -> str:
        """Range of the locations over the runs."""
        return span(self.first, self.last)


def agreements(rows: Sequence[Change]) -> list[Agreement]:
    """Return the metrics that several runs hold, those sharp in most runs first."""
    members: dict[str, list[Change]] = {}
    for row in strongest(rows):
        members.setdefault(row.metric, []).append(row)
    found = [_agreement(metric, own) for metric, own in members.items() if len(own) > 1]
    return sorted(found, key=lambda each: -each.num_sharp / each.num_runs)


def _agreement(metric: str, rows: Sequence[Change]) -> Agreement:
    sharp = [row for row in rows if row.sharp]
    places = [row.row.at for row in sharp or rows if math.isfinite(row.row.at)]
    return Agreement(
        metric=metric,
        num_runs=len(rows),
        num_sharp=len(sharp),
        says=Counter(row.says for row in rows),
        first=min(places, default=math.nan),
        last=max(places, default=math.nan),
    )
