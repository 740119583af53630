"""A curve made ready for analysis: log10 axis, no gaps, standardised values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_POINTS = 100
"""Longer curves are averaged into this many bins of log10(step) before they are analysed."""

MIN_POINTS = 8
"""With fewer readings nothing is said about sharpness."""


@dataclass(frozen=True, slots=True)
class Series:
    """One cleaned curve of n readings.

    Attributes:
        x: log10 of the axis, shape ``(n,)``, strictly increasing.
        y: Standardised values (mean 0, standard deviation 1), shape ``(n,)``.
        se: Median standard error in standardised units (NaN when unknown).
        centre, scale: ``value = centre + scale * y``.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    se: float
    centre: float
    scale: float

    def without(self, indices: NDArray[np.intp]) -> Series:
        """Return the same curve with some readings left out (same standardisation)."""
        keep = np.ones(self.x.size, dtype=bool)
        keep[indices] = False
        return Series(self.x[keep], self.y[keep], self.se, self.centre, self.scale)


def clean(steps: ArrayLike, values: ArrayLike, stderr: ArrayLike | None = None) -> Series:
    """Drop unusable readings, sort, merge repeated positions, bin and standardise.

    Args:
        steps: Positions (tokens, steps …), shape ``(n,)``; those ≤ 0 are dropped.
        values: Measured values, shape ``(n,)``; NaN and infinities are dropped.
        stderr: Standard errors, shape ``(n,)``, or None.

    Raises:
        ValueError: When the shapes differ or are not one-dimensional.
    """
    t = np.asarray(steps, dtype=np.float64)
    v = np.asarray(values, dtype=np.float64)
    e = np.full(v.shape, np.nan) if stderr is None else np.asarray(stderr, dtype=np.float64)
    if t.ndim != 1 or t.shape != v.shape or e.shape != v.shape:
        raise ValueError(
            f"steps, values and stderr must be one-dimensional and of one length, "
            f"got {t.shape}, {v.shape}, {e.shape}"
        )
    usable = np.isfinite(t) & np.isfinite(v) & (t > 0)
    x, v, e = np.log10(t[usable]), v[usable], e[usable]
    # Positions are rounded so that rescaling the axis cannot change which readings coincide.
    order = np.argsort(x, kind="stable")
    x, v = _merge(x[order], v[order])
    if x.size > MAX_POINTS:
        x, v = _bin(x, v)
    if x.size == 0:
        return Series(x, v, float("nan"), 0.0, 1.0)
    centre = float(v.mean())
    spread = float(v.std())
    # A spread at the level of rounding error is a constant curve.
    scale = spread if spread > 1e-12 * max(abs(centre), 1e-300) else 1.0
    y = (v - centre) / scale if scale == spread else np.zeros_like(v)
    known = e[np.isfinite(e) & (e > 0)]
    se = float(np.median(known)) / scale if known.size else float("nan")
    return Series(x, y, se, centre, scale)


def _merge(
    x: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average readings at (numerically) one position."""
    if x.size < 2:
        return x, v
    group = np.concatenate([[0], np.cumsum(np.diff(x) > 1e-9)])
    count = np.bincount(group)
    return np.bincount(group, x) / count, np.bincount(group, v) / count


def _bin(
    x: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average a dense curve inside equal bins of log10(step)."""
    edges = np.linspace(x[0], x[-1], MAX_POINTS + 1)[1:-1]
    group = np.searchsorted(edges, x, side="right")
    count = np.bincount(group, minlength=MAX_POINTS)
    filled = count > 0
    mean_x = np.bincount(group, x, MAX_POINTS)[filled] / count[filled]
    mean_v = np.bincount(group, v, MAX_POINTS)[filled] / count[filled]
    return mean_x, mean_v
