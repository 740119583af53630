"""Hartigan's dip: how far a sample is from any distribution with one mode."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MAX_POINTS = 200
"""Larger samples are thinned to this many order statistics; the cost grows with the square."""


def dip(sample: ArrayLike) -> float:
    """Return the dip: the least greatest distance to a unimodal distribution function.

    For each candidate mode the function must be convex before and concave after it. A convex
    function within ±d of the empirical one exists when the greatest convex minorant of its lower
    edge, raised by d, clears its upper edge lowered by d.

    Args:
        sample: Values, shape ``(n,)``, n ≥ 2.

    Source: Hartigan and Hartigan 1985 (the definition; computed here in O(n²)).

    >>> dip([0.0, 0.0, 1.0, 1.0])
    0.25
    >>> round(dip([1.0, 2.0, 3.0, 4.0, 5.0]), 12)
    0.1
    """
    values = np.sort(np.asarray(sample, dtype=np.float64).ravel())
    if values.size > MAX_POINTS:
        keep = np.linspace(0, values.size - 1, MAX_POINTS).round().astype(int)
        values = values[keep]
    x, counts = np.unique(values, return_counts=True)
    if x.size < 2:
        return 0.0
    upper = np.cumsum(counts) / values.size
    lower = upper - counts / values.size
    left = _one_side(x, lower, upper)
    right = _one_side(-x[::-1], 1.0 - upper[::-1], 1.0 - lower[::-1])[::-1]
    # No continuous unimodal distribution comes nearer than half of a jump.
    return max(float(np.maximum(left, right).min()), 0.5 / values.size)


def _one_side(x: Array, lower: Array, upper: Array) -> Array:
    """Return, for each mode k, half the worst gap left of k, shape ``(len(x),)``."""
    gaps = np.zeros(x.size)
    hull: list[int] = []
    for k in range(x.size):
        while len(hull) >= 2 and _above(x, lower, hull[-2], hull[-1], k):
            hull.pop()
        hull.append(k)
        if k:
            minorant = np.interp(x[:k], x[hull], lower[hull])
            gaps[k] = float((upper[:k] - minorant).max()) / 2
    return gaps


def _above(x: Array, y: Array, a: int, b: int, c: int) -> bool:
    """Return whether point b lies on or above the chord from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))


def dip_p(sample: ArrayLike) -> float:
    """Return the Monte-Carlo p of `dip` against the uniform, the hardest unimodal case."""
    size = min(int(np.asarray(sample).size), MAX_POINTS)
    null = _null(size)
    return float((1 + (null >= dip(sample)).sum()) / (1 + null.size))


@lru_cache(maxsize=32)
def _null(size: int) -> Array:
    rng = np.random.default_rng([1985, size])
    draws = 400 if size <= 60 else 100
    return np.array([dip(rng.random(size)) for _ in range(draws)])
