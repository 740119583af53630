"""Optimal partitions: with a penalty for each break (PELT), and for each number of breaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.plain.costs import Costs

Array = NDArray[np.float64]


def pelt(costs: Costs, penalty: float, min_size: int = 2) -> tuple[int, ...]:
    """Return the breaks that minimise the costs of their segments plus a penalty for each.

    Exact: positions are dropped only where they can never be the last break again.

    Args:
        costs: Costs of segments.
        penalty: What one break costs, in the unit of the costs.
        min_size: Fewest readings in a segment.

    Returns:
        First indices of the segments after the first, in order.

    Source: Killick, Fearnhead and Eckley 2012.
    """
    num = costs.num
    best = np.full(num + 1, np.inf)
    best[0] = -penalty
    last = np.zeros(num + 1, dtype=np.intp)
    starts = np.zeros(0, dtype=np.intp)
    expires = np.zeros(0, dtype=np.intp)
    for end in range(min_size, num + 1):
        if np.isfinite(best[end - min_size]):
            starts = np.append(starts, end - min_size)
            expires = np.append(expires, num + 1)
        total = best[starts] + costs.of(starts, end)
        chosen = int(np.argmin(total))
        best[end] = total[chosen] + penalty
        last[end] = starts[chosen]
        # A start that loses here to a break at `end` loses wherever that break is allowed.
        beaten = total > best[end]
        expires[beaten] = np.minimum(expires[beaten], end + min_size)
        starts, expires = starts[expires > end + 1], expires[expires > end + 1]
    return _backwards(last, num)


def best_partitions(
    costs: Costs, most: int, min_size: int = 2, every: int = 1
) -> list[tuple[int, ...]]:
    """Return the best partition for each number of breaks from 0 to `most`.

    Breaks are multiples of `every`. The list ends early when no more breaks fit.

    Source: segment neighbourhood, Auger and Lawrence 1989.
    """
    ends = np.append(np.arange(0, costs.num, every, dtype=np.intp), costs.num)
    table = np.full((ends.size, ends.size), np.inf)
    for j, end in enumerate(ends):
        i = int(np.searchsorted(ends, end - min_size, side="right"))
        if i > 0 and end > 0:
            table[:i, j] = costs.of(ends[:i], int(end))
    best = table[0]
    found: list[tuple[int, ...]] = [()]
    lasts: list[NDArray[np.intp]] = []
    for _ in range(most):
        total = best[:, None] + table
        lasts.append(np.argmin(total, axis=0).astype(np.intp))
        best = np.min(total, axis=0)
        if not np.isfinite(best[-1]):
            break
        place, breaks = ends.size - 1, []
        for last in reversed(lasts):
            place = int(last[place])
            breaks.append(int(ends[place]))
        found.append(tuple(reversed(breaks)))
    return found


def _backwards(last: NDArray[np.intp], num: int) -> tuple[int, ...]:
    breaks: list[int] = []
    while last[num] > 0:
        num = int(last[num])
        breaks.append(num)
    return tuple(reversed(breaks))
