"""Duplicate checkpoints: positions of one run at which nearly all metrics agree to the digit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, listed, of_run

Array = NDArray[np.float64]

AGREE, COMMON = 0.9, 0.2
"""Share of metrics that must agree; a metric that repeats itself more often than `COMMON` of all
pairs of positions says nothing."""

CHANCE = 1e-4
"""How probable so many coincidences anywhere in the run may be, at most."""


def duplicate_checkpoints(panel: Panel) -> list[Flag]:
    """Return one flag per group of positions that hold one and the same checkpoint.

    Each metric's own rate of coincidence between positions decides how much an agreement of that
    metric is worth, so that coarse accuracies cannot make a duplicate by chance.

    Args:
        panel: One run; at least three telling metrics are needed.
    """
    telling, cost = _telling(panel.values)
    rows, cost = panel.values[telling], cost[telling]
    if len(rows) < 3:
        return []
    size = panel.positions.size
    allowed = math.log(CHANCE) - math.log(size * (size - 1) / 2)
    pairs: list[tuple[int, int, float]] = []
    for i in range(size - 1):
        both = np.isfinite(rows[:, i, None]) & np.isfinite(rows[:, i + 1 :])
        same = both & (rows[:, i, None] == rows[:, i + 1 :])
        share = same.sum(axis=0) / np.maximum(both.sum(axis=0), 1)
        chance = cost @ same
        hits = np.flatnonzero((share >= AGREE) & (both.sum(axis=0) >= 3) & (chance < allowed))
        pairs.extend((i, i + 1 + int(j), float(share[j])) for j in hits)
    return [_flag(panel, group, pairs, len(rows)) for group in _groups(pairs)]


def _telling(values: Array) -> tuple[NDArray[np.bool_], Array]:
    """Return which metrics seldom repeat a value, and ln of how often each does, shape ``(M,)``."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    ordered = np.sort(np.where(finite, values, np.inf), axis=1)
    repeats = np.zeros(len(values))
    for row, (line, n) in enumerate(zip(ordered, count, strict=True)):
        _, times = np.unique(line[:n], return_counts=True)
        repeats[row] = float((times * (times - 1)).sum()) / 2
    possible = np.maximum(count * (count - 1) / 2, 1)
    rate = (repeats + 1) / (possible + 1)
    return (rate <= COMMON) & (count >= 4), np.log(rate)


def _groups(pairs: list[tuple[int, int, float]]) -> list[list[int]]:
    """Return connected positions, each group ascending."""
    member: dict[int, set[int]] = {}
    for i, j, _ in pairs:
        joined = member.get(i, {i}) | member.get(j, {j})
        for k in joined:
            member[k] = joined
    distinct = {tuple(sorted(group)) for group in member.values()}
    return [list(group) for group in sorted(distinct)]


def _share(share: float) -> str:
    return "all" if share == 1.0 else f"{share:.0%} or more"


def _flag(
    panel: Panel, group: list[int], pairs: list[tuple[int, int, float]], metrics: int
) -> Flag:
    share = min(share for i, j, share in pairs if i in group and j in group)
    at = tuple(float(panel.positions[k]) for k in group)
    where = listed((f"{position:g}" for position in at), 6)
    cause = "one checkpoint counted more than once"
    if group[0] == 0 and group == list(range(len(group))):
        cause += ", or weights that had not moved yet"
    text = (
        f"the readings{of_run(panel.run)} at {where} are identical in {_share(share)} of "
        f"{metrics} metrics: {cause}"
    )
    return Flag("duplicate checkpoints", text, runs=(panel.run,), at=at)
