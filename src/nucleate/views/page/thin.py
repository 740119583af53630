"""Fewer points that look the same: in every bucket the first, the last and both extremes stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve


def kept(
    positions: NDArray[np.float64], values: NDArray[np.float64], buckets: int
) -> NDArray[np.intp]:
    """Return which points to draw, in order: at most four for each bucket of log position.

    First and last point of a bucket keep lines joined where they were, minimum and maximum keep
    every peak; points that are not finite are kept as the gap they are, one for each bucket.

    Args:
        positions: Increasing, shape ``(n,)``; those that are not positive share one bucket.
        values: Shape ``(n,)``.
        buckets: How many pixels (or so) there are.

    Example:
        >>> x = np.arange(1.0, 1001.0)
        >>> y = np.zeros(1000); y[500] = 9.0
        >>> at = kept(x, y, 10)
        >>> bool(500 in at), len(at) <= 40
        (True, True)
    """
    count = len(values)
    if count <= 4 * buckets:
        return np.arange(count)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(positions > 0, np.log(np.maximum(positions, 1e-300)), -np.inf)
    finite = place[np.isfinite(place)]
    low, high = (float(finite[0]), float(finite[-1])) if finite.size else (0.0, 0.0)
    span = (high - low) or 1.0
    bucket = np.clip((place - low) / span * buckets, -1, buckets - 1).astype(np.intp)
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    ends = np.append(starts[1:], count) - 1
    gap = ~np.isfinite(values)
    lowest = _extreme(np.where(gap, np.inf, values), starts, np.minimum)
    highest = _extreme(np.where(gap, -np.inf, values), starts, np.maximum)
    first_gap = starts[np.logical_or.reduceat(gap, starts)]
    gaps = np.array([s + int(np.argmax(gap[s:])) for s in first_gap], dtype=np.intp)
    return np.unique(np.concatenate([starts, ends, lowest, highest, gaps]))


def thinned(curve: Curve, buckets: int) -> Curve:
    """Return a Curve with the points of `kept`; a short one is returned as it is."""
    at = kept(curve.tokens, np.asarray(curve.values, dtype=np.float64), buckets)
    if len(at) == len(curve.values):
        return curve
    return replace(
        curve,
        steps=tuple(curve.steps[i] for i in at),
        values=tuple(curve.values[i] for i in at),
        se=tuple(curve.se[i] for i in at),
        counts=tuple(curve.counts[i] for i in at) if curve.counts else (),
        positions=tuple(curve.positions[i] for i in at) if curve.positions else (),
    )


def _extreme(
    values: NDArray[np.float64], starts: NDArray[np.intp], which: np.ufunc
) -> NDArray[np.intp]:
    """Return where in each bucket the first of its extreme values stands."""
    best = which.reduceat(values, starts)
    bucket = np.zeros(len(values), dtype=np.intp)
    bucket[starts[1:]] = 1
    hits = np.flatnonzero(values == best[np.cumsum(bucket)])
    of = np.cumsum(bucket)[hits]
    return hits[np.flatnonzero(np.diff(of, prepend=-1))]
