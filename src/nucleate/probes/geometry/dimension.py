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
    square, is not small against their distance) float64 finds them.
    """
    single = _less_mean(points_ND).astype(np.float32, copy=False) if near_ND is None else near_ND
    squares_N = _squares(single)
    out = np.empty(len(asked_Q))
    for start in range(0, len(asked_Q), _BLOCK):
        asked_B = asked_Q[start : start + _BLOCK]
        square_B2 = _nearest(points_ND, single, squares_N, asked_B)
        doubtful = square_B2[:, 0] < _SINGLE * squares_N[asked_B]
        if doubtful.any():
            double = _less_mean(points_ND.astype(np.float64))
            square_B2[doubtful] = _nearest(points_ND, double, _squares(double), asked_B[doubtful])
        out[start : start + _BLOCK] = np.sqrt(square_B2[:, 1] / square_B2[:, 0])
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


def _nearest(
    points_ND: NDArray[Any],
    looked: NDArray[Any],
    squares_N: NDArray[Any],
    asked_B: NDArray[np.int64],
) -> Array:
    """Return squared distances to the two points that are nearest in `looked`, in order.

    They are those of differences, so as exact as the points, which products would not be.
    """
    rows = np.arange(len(asked_B))
    far_BN = (-2 * looked.take(asked_B, 0)) @ looked.T
    far_BN += squares_N  # less what is the same for a whole row
    far_BN[rows, asked_B] = np.inf
    near_B2 = np.empty((len(asked_B), 2), dtype=np.int64)
    for place in range(2):
        near_B2[:, place] = far_BN.argmin(1)
        far_BN[rows, near_B2[:, place]] = np.inf
    away_B2D = points_ND.take(asked_B, 0)[:, None] - points_ND.take(near_B2, 0)
    exact_B2 = np.einsum("bkd,bkd->bk", away_B2D, away_B2D)
    return np.sort(exact_B2.astype(np.float64), axis=1)
