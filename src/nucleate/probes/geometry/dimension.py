"""Intrinsic dimension of a cloud of points from the distances to two nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError
from nucleate.probes.geometry.distinct import distinct
from nucleate.probes.geometry.on_device import Device, nearest_two

# Suffixes: N points, D dimensions, B points of one block, 2 nearest neighbours.

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
        points: Distinct points, all of which may be neighbours.
        queries: Points whose neighbours were looked for.
        duplicates: Points left out because an equal one was there.
    """

    dimension: float
    by_size: tuple[tuple[int, float], ...]
    points: int
    duplicates: int
    queries: int


def two_nn(
    x_ND: ArrayLike,
    *,
    halvings: int = 3,
    repeats: int = 4,
    queries: int | None = None,
    seed: int = 0,
    differ: bool = False,
    near_ND: NDArray[np.float32] | None = None,
    device: Device = None,
) -> IntrinsicDimension:
    """Estimate intrinsic dimension by TwoNN, of all points and again of ever smaller subsamples.

    With ``μ = r2 / r1``, the dimension is the slope of ``−ln(1 − F(μ))`` on ``ln μ`` through the
    origin, without the largest 10 % of ratios.

    `queries` leaves the cloud as dense as it is, so that the answer does not move as it does with
    fewer points; it only becomes noisier, by about ``d √(1/queries − 1/N)``.

    Args:
        x_ND: Points, shape ``(N, D)``.
        halvings: How often to halve the number of points.
        repeats: Subsamples of each size.
        queries: How many points, drawn by `seed`, to find the neighbours of (among all points);
            all if left out or too many.
        seed: Of the subsamples and of the queries.
        differ: Whether no two points are known to be equal (`distinct`); looked for if not.
        near_ND: The points, all finite, less one near their mean (`centred`); computed if left out.
        device: Where to look for neighbours; the processor if left out.

    Raises:
        DataError: Fewer than 20 distinct points.

    Source: Facco et al. 2017 (doi:10.1038/s41598-017-11873-y).
    """
    given = np.asarray(x_ND)
    if given.dtype != np.float32:
        given = given.astype(np.float64)
    points = given
    if not differ:
        kept_M, _ = distinct(given)
        points = given if len(kept_M) == len(given) else given[kept_M]
    if len(points) < _FEW or not (near_ND is not None or np.isfinite(points).all()):
        raise DataError(
            "too few distinct points for a dimension", got=len(points), expected=f"≥ {_FEW}, finite"
        )
    asked = _drawn(len(points), queries, seed)
    whole = _dimension(points, asked, near_ND, device)
    by_size = [(len(points), whole)]
    if halvings:
        rng = np.random.default_rng(seed)
        rng.permutation(len(points) if queries else 0)  # the queries were drawn first
    for halving in range(1, halvings + 1):
        size = len(points) >> halving
        if size < _FEW:
            break
        chosen = (rng.choice(len(points), size, replace=False) for _ in range(repeats))
        each = [_dimension(points[rows], np.arange(size), None, device) for rows in chosen]
        by_size.append((size, float(np.mean(each))))
    return IntrinsicDimension(
        whole, tuple(by_size), len(points), len(given) - len(points), len(asked)
    )


_FEW, _BLOCK = 20, 512


@lru_cache(maxsize=16)
def _drawn(points: int, queries: int | None, seed: int) -> NDArray[np.int64]:
    """Return the points whose neighbours are looked for; the same in every layer."""
    if not queries:
        return np.arange(points)
    return np.random.default_rng(seed).permutation(points)[:queries]


def _dimension(
    points_ND: NDArray[Any],
    asked_Q: NDArray[np.int64],
    near_ND: NDArray[np.float32] | None,
    device: Device,
) -> float:
    if device is None:
        ratios = np.sort(_ratios(points_ND, asked_Q, near_ND))
    else:
        square_Q2 = nearest_two(points_ND, asked_Q, device)
        ratios = np.sort(np.sqrt(square_Q2[:, 1] / square_Q2[:, 0]))
    kept = int(len(ratios) * (1 - DROPPED))
    share = np.arange(1, kept + 1) / len(ratios)
    x, y = np.log(ratios[:kept]), -np.log1p(-share)
    below = float(x @ x)
    return float(x @ y) / below if below > 0 else math.nan


def _ratios(
    points_ND: NDArray[Any], asked_Q: NDArray[np.int64], near_ND: NDArray[np.float32] | None
) -> Array:
    """Return r2 / r1 of some points.

    A product in float32 finds the two nearest; distances to those are then taken of differences.
    Where the product cannot tell near points from each other (its error, about 1e-7 of the mean
    square, is not small against their distance) distances of differences are taken to all points
    that may be nearest, or, if these are many, float64 finds the two.
    """
    single = _less_mean(points_ND).astype(np.float32, copy=False) if near_ND is None else near_ND
    squares_N = _squares(single)
    out = np.empty(len(asked_Q))
    for start in range(0, len(asked_Q), _BLOCK):
        asked_B = asked_Q[start : start + _BLOCK]
        far_BN = _far(single, squares_N, asked_B)
        near_B2 = _two(far_BN)
        square_B2 = _apart(points_ND, asked_B, near_B2)
        doubtful = np.flatnonzero(square_B2.min(1) < _SINGLE * squares_N[asked_B])
        if len(doubtful):
            asked_C, far_CN = asked_B[doubtful], far_BN[doubtful]
            slack_C = _slack(single.shape[1], squares_N[asked_C], far_CN, near_B2[doubtful])
            square_C2 = _among(points_ND, asked_C, far_CN <= slack_C[:, None])
            if square_C2 is None:
                double = _less_mean(points_ND.astype(np.float64))
                near_C2 = _two(_far(double, _squares(double), asked_C))
                square_C2 = _apart(points_ND, asked_C, near_C2)
            square_B2[doubtful] = square_C2
        out[start : start + _BLOCK] = np.sqrt(square_B2.max(1) / square_B2.min(1))
    return out


def _less_mean(points_ND: NDArray[Any]) -> NDArray[Any]:
    mean = np.full(len(points_ND), 1 / len(points_ND), points_ND.dtype) @ points_ND
    less: NDArray[Any] = points_ND - mean
    return less


_SINGLE = 1e-3
"""Squared distance, as a share of the squared norm, below which float64 finds neighbours."""


def _squares(x_ND: NDArray[Any]) -> NDArray[Any]:
    out: NDArray[Any] = np.einsum("nd,nd->n", x_ND, x_ND)
    return out


def _far(looked: NDArray[Any], squares_N: NDArray[Any], asked_B: NDArray[np.int64]) -> NDArray[Any]:
    """Return squared distances of some points to all, less what is the same for a whole row."""
    far_BN: NDArray[Any] = (-2 * looked.take(asked_B, 0)) @ looked.T
    far_BN += squares_N
    far_BN[np.arange(len(asked_B)), asked_B] = np.inf
    return far_BN


def _two(far_BN: NDArray[Any]) -> NDArray[np.int64]:
    """Return the two nearest points of each row."""
    rows = np.arange(len(far_BN))
    near_B2 = np.empty((len(rows), 2), dtype=np.int64)
    near_B2[:, 0] = far_BN.argmin(1)
    least_B = far_BN[rows, near_B2[:, 0]]
    far_BN[rows, near_B2[:, 0]] = np.inf
    near_B2[:, 1] = far_BN.argmin(1)
    far_BN[rows, near_B2[:, 0]] = least_B
    return near_B2


def _apart(
    points_ND: NDArray[Any], asked_B: NDArray[np.int64], near_B2: NDArray[np.int64]
) -> Array:
    """Return squared distances to the points found, of differences: as exact as the points."""
    away_B2D = points_ND.take(asked_B, 0)[:, None] - points_ND.take(near_B2, 0)
    square_B2: Array = np.einsum("bkd,bkd->bk", away_B2D, away_B2D).astype(np.float64)
    return square_B2


def _slack(
    width: int, square_C: NDArray[Any], far_CN: NDArray[Any], near_C2: NDArray[np.int64]
) -> NDArray[Any]:
    """Return how far a point may seem at most, row by row, that may be one of the two nearest.

    A sum of D products in float32 is off by no more than D roundings of the lengths' product;
    neither point in question is longer than the asked one and their distance.
    """
    second_C = far_CN[np.arange(len(far_CN)), near_C2[:, 1]]
    reach_C = 2 * np.sqrt(square_C) + np.sqrt(np.maximum(second_C + square_C, 0))
    slack_C: NDArray[Any] = second_C + 2 * width * _EPS * reach_C**2
    return slack_C


def _among(
    points_ND: NDArray[Any], asked_C: NDArray[np.int64], maybe_CN: NDArray[np.bool_]
) -> Array | None:
    """Return squared distances to the two nearest of some points; None if these are many."""
    if np.count_nonzero(maybe_CN) > 2 * len(points_ND):
        return None
    row_P, point_P = np.nonzero(maybe_CN)
    away_PD = points_ND.take(asked_C[row_P], 0)
    away_PD -= points_ND.take(point_P, 0)
    square_P: Array = np.einsum("pd,pd->p", away_PD, away_PD).astype(np.float64)
    square_P = square_P[np.lexsort((square_P, row_P))]
    first_C = np.searchsorted(row_P, np.arange(len(asked_C)))
    nearest_C2: Array = square_P[first_C[:, None] + np.arange(2)]
    return nearest_C2


_EPS = float(np.finfo(np.float32).eps)
