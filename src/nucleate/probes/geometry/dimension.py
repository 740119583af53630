"""Intrinsic dimension of a cloud of points from the distances to two nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError

# Suffixes: N points, D dimensions, B points of one block.

Array = NDArray[np.float64]

DROPPED = 0.1
"""Share of the largest ratios that the fit leaves out."""


@dataclass(frozen=True, slots=True)
class IntrinsicDimension:
    """The dimension that a cloud of points has locally.

    Attributes:
        dimension: Of all points.
        by_size: Pairs of a number of points and the mean dimension of subsamples of that size, the
            largest first; a value that depends much on the size is none of the manifold's.
        points: Distinct points.
        duplicates: Points left out because an equal one was there.
    """

    dimension: float
    by_size: tuple[tuple[int, float], ...]
    points: int
    duplicates: int


def two_nn(
    x_ND: ArrayLike, *, halvings: int = 3, repeats: int = 4, seed: int = 0
) -> IntrinsicDimension:
    """Estimate intrinsic dimension by TwoNN, of all points and again of ever smaller subsamples.

    With ``μ = r2 / r1``, the dimension is the slope of ``−ln(1 − F(μ))`` on ``ln μ`` through the
    origin, without the largest 10 % of ratios.

    Args:
        x_ND: Points, shape ``(N, D)``.
        halvings: How often to halve the number of points.
        repeats: Subsamples of each size.
        seed: Of the subsamples.

    Raises:
        DataError: Fewer than 20 distinct points.

    Source: Facco et al. 2017 (doi:10.1038/s41598-017-11873-y).
    """
    given = np.asarray(x_ND, dtype=np.float64)
    points = np.unique(given, axis=0)
    if len(points) < _FEW or not np.isfinite(points).all():
        raise DataError(
            "too few distinct points for a dimension", got=len(points), expected=f"≥ {_FEW}, finite"
        )
    rng = np.random.default_rng(seed)
    whole = _dimension(points)
    by_size = [(len(points), whole)]
    for halving in range(1, halvings + 1):
        size = len(points) >> halving
        if size < _FEW:
            break
        chosen = (rng.choice(len(points), size, replace=False) for _ in range(repeats))
        by_size.append((size, float(np.mean([_dimension(points[rows]) for rows in chosen]))))
    return IntrinsicDimension(whole, tuple(by_size), len(points), len(given) - len(points))


_FEW, _BLOCK, _NEAR = 20, 512, 6


def _dimension(points_ND: Array) -> float:
    ratios = np.sort(_ratios(points_ND))
    kept = int(len(ratios) * (1 - DROPPED))
    share = np.arange(1, kept + 1) / len(ratios)
    x, y = np.log(ratios[:kept]), -np.log1p(-share)
    below = float(x @ x)
    return float(x @ y) / below if below > 0 else math.nan


def _ratios(points_ND: Array) -> Array:
    """Return r2 / r1 of every point.

    A matrix product finds a few near points; distances to those are then computed exactly.
    """
    centred = points_ND - points_ND.mean(0)
    squares_N = (centred**2).sum(1)
    out = np.empty(len(points_ND))
    for start in range(0, len(points_ND), _BLOCK):
        own_BD = centred[start : start + _BLOCK]
        rows = np.arange(len(own_BD))
        far_BN = squares_N - 2 * own_BD @ centred.T  # less what is the same for a whole row
        far_BN[rows, start + rows] = np.inf
        near_BK = np.argpartition(far_BN, _NEAR, axis=1)[:, :_NEAR]
        exact_BK = ((own_BD[:, None] - centred[near_BK]) ** 2).sum(-1)
        nearest = np.sqrt(np.partition(exact_BK, 1, axis=1)[:, :2])
        out[start : start + _BLOCK] = nearest[:, 1] / nearest[:, 0]
    return out
