"""Which points of a cloud differ: equal tokens in equal places are the same point many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Suffixes: N points, D dimensions, M points that differ, A points that have come before, G groups.

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Which points of a cloud are equal.

    Attributes:
        kept_M: The first of each group, in order.
        count_M: How many points each group has.
        again_A: All other points.
        first_A: The first of the group of each of them.
    """

    kept_M: Indices
    count_M: Indices
    again_A: Indices
    first_A: Indices


def distinct(points_ND: NDArray[Any]) -> tuple[Indices, Indices]:
    """Return the first of each group of equal points, in order, and how many each group has.

    Points that differ in their first coordinate are told apart by that alone. -0 equals 0.

    Args:
        points_ND: Finite points, shape ``(N, D)``.

    >>> [found.tolist() for found in distinct(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))]
    [[0, 1], [2, 1]]
    """
    found = groups(points_ND)
    return found.kept_M, found.count_M


def groups(points_ND: NDArray[Any], like: Groups | None = None) -> Groups:
    """Return which points are equal, as `distinct` tells them.

    Args:
        points_ND: Finite points, shape ``(N, D)``.
        like: Groups that may be those of these points too, as in the layers of one model: less
            has to be done where they are.
    """
    if like is not None and _are(points_ND, like):
        return like
    every = np.arange(len(points_ND))
    order = points_ND[:, 0].argsort()
    along = points_ND[order, 0]
    new_N = np.ones(len(every), dtype=np.bool_)
    np.not_equal(along[1:], along[:-1], out=new_N[1:])
    if new_N.all():
        return Groups(every, np.ones_like(every), every[:0], every[:0])
    same = ~new_N[1:]
    first_N, left, right = every.copy(), order[:-1][same], order[1:][same]
    if (points_ND[left] == points_ND[right]).all():
        first_G = np.minimum.reduceat(order, np.flatnonzero(new_N))
        first_N[order] = first_G[new_N.cumsum() - 1]
    else:  # equal in their first coordinate alone
        _find(points_ND, np.union1d(left, right), first_N)
    again_A = np.flatnonzero(first_N != every)
    count_N = np.bincount(first_N)
    kept_M = np.flatnonzero(count_N)
    return Groups(kept_M, count_N[kept_M], again_A, first_N[again_A])


def _are(points_ND: NDArray[Any], like: Groups) -> bool:
    """Whether points are equal just where some groups say so, and differ in their first coordinate.

    There are as many equal neighbours in order as points that came before only if no two groups
    share a first coordinate.
    """
    along = np.sort(points_ND[:, 0])
    if np.count_nonzero(along[1:] == along[:-1]) != len(like.again_A):
        return False
    return bool((points_ND[like.again_A] == points_ND[like.first_A]).all())


def _find(points_ND: NDArray[Any], maybe: Indices, first_N: Indices) -> None:
    """Find the first of each group among points that may be equal."""
    seen: dict[bytes, int] = {}
    for row, point in zip(maybe.tolist(), points_ND[maybe] + 0, strict=True):  # -0 is 0
        first_N[row] = seen.setdefault(point.tobytes(), row)
