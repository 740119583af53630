"""Which points of a cloud differ: equal tokens in equal places are the same point many times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Suffixes: N points, D dimensions, M points that differ.

Indices = NDArray[np.int64]


def distinct(points_ND: NDArray[Any]) -> tuple[Indices, Indices]:
    """Return the first of each group of equal points, in order, and how many each group has.

    Points that differ in their first coordinate are told apart by that alone. -0 equals 0.

    Args:
        points_ND: Finite points, shape ``(N, D)``.

    >>> [found.tolist() for found in distinct(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))]
    [[0, 1], [2, 1]]
    """
    size = len(points_ND)
    count_N = np.ones(size, dtype=np.int64)
    order = points_ND[:, 0].argsort()
    along = points_ND[order, 0]
    same = along[1:] == along[:-1]
    if not same.any():
        return np.arange(size), count_N
    left, right = order[:-1][same], order[1:][same]
    if (points_ND[left] == points_ND[right]).all():
        begin_G = np.flatnonzero(np.append(True, ~same))
        count_N[:] = 0
        count_N[np.minimum.reduceat(order, begin_G)] = np.diff(begin_G, append=size)
    else:  # equal in their first coordinate alone
        _count(points_ND, np.union1d(left, right), count_N)
    kept_M = np.flatnonzero(count_N)
    return kept_M, count_N[kept_M]


def _count(points_ND: NDArray[Any], maybe: Indices, count_N: Indices) -> None:
    """Count points that may be equal, each group at its first."""
    seen: dict[bytes, int] = {}
    for row, point in zip(maybe.tolist(), points_ND[maybe] + 0, strict=True):  # -0 is 0
        first = seen.setdefault(point.tobytes(), row)
        if first != row:
            count_N[first] += 1
            count_N[row] = 0
