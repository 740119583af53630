"""A curve made ready for analysis: log10 axis, no gaps, standardised values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.lr import relative_rate, schedule_shapes, warm_up
from nucleate.detect.reach import SAFE, exponent

Array = NDArray[np.float64]

MAX_POINTS = 100
"""Longer curves are averaged into this many bins of log10(step) before they are searched."""

MIN_POINTS = 8
"""With fewer readings nothing is said about sharpness."""

UNEVEN = 2.5
"""Standard errors weigh readings when the largest exceeds the smallest by this factor."""


@dataclass(frozen=True, slots=True)
class Dense:
    """The readings of a long curve before they were binned, standardised like the bins.

    Attributes:
        x: log10 of the axis, shape ``(m,)``, strictly increasing.
        y: Standardised values, same shape.
    """

    x: Array
    y: Array


@dataclass(frozen=True, slots=True)
class Series:
    """One cleaned curve of n readings.

    Attributes:
        x: log10 of the axis, shape ``(n,)``, strictly increasing.
        y: Standardised values (mean 0, standard deviation 1), shape ``(n,)``.
        se: Median standard error in standardised units (NaN when unknown).
        centre, scale: ``value = centre + scale * y``.
        base: Known relative noise of each reading, shape ``(n,)``, None when all are alike.
        known_nk: Effects of the learning-rate schedule, shape ``(n, k)``, None when not given.
        warm_up: log10 of where the learning rate has risen to its peak, None when not known.
        rate: Learning rate relative to its peak, shape ``(n,)``, None when not given.
        dense: The readings behind the bins, None when nothing was binned.
    """

    x: Array
    y: Array
    se: float
    centre: float
    scale: float
    base: Array | None = None
    known_nk: Array | None = None
    dense: Dense | None = None
    warm_up: float | None = None
    rate: Array | None = None

    def without(self, indices: NDArray[np.intp], shape: Array | None = None) -> Series:
        """Return the curve with some readings left out, and `shape`, ``(n,)``, taken off the rest.

        Its standardisation stays the same.
        """
        keep = np.ones(self.x.size, dtype=bool)
        keep[indices] = False
        off = np.zeros(self.x.size) if shape is None else shape
        dense = self.dense
        if dense is not None:
            stay = keep[np.searchsorted((self.x[1:] + self.x[:-1]) / 2, dense.x)]
            dense = Dense(dense.x[stay], (dense.y - np.interp(dense.x, self.x, off))[stay])
        return replace(
            self,
            x=self.x[keep],
            y=(self.y - off)[keep],
            base=None if self.base is None else self.base[keep],
            known_nk=None if self.known_nk is None else self.known_nk[keep],
            rate=None if self.rate is None else self.rate[keep],
            dense=dense,
        )


def clean(
    steps: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike | None = None,
    lr: ArrayLike | None = None,
) -> Series:
    """Drop unusable readings, sort, merge repeated positions, bin and standardise.

    Args:
        steps: Positions (tokens, steps …), shape ``(n,)``; those ≤ 0 are dropped.
        values: Measured values, shape ``(n,)``; NaN and infinities are dropped.
        stderr: Standard errors, shape ``(n,)`` or one for all, or None.
        lr: Learning rate at each reading, shape ``(n,)``, or None.

    Raises:
        ValueError: When the shapes differ or are not one-dimensional.
    """
    t = np.asarray(steps, dtype=np.float64)
    v = np.asarray(values, dtype=np.float64)
    e = _column(stderr, v.shape)
    rate = _column(lr, v.shape)
    if t.ndim != 1 or t.shape != v.shape or e.shape != v.shape or rate.shape != v.shape:
        raise ValueError(
            f"steps, values, stderr and lr must be one-dimensional and of one length, "
            f"got {t.shape}, {v.shape}, {e.shape}, {rate.shape}"
        )
    usable = np.isfinite(t) & np.isfinite(v) & (t > 0)
    order = np.argsort(t[usable], kind="stable")
    t, v, e, rate = (column[usable][order] for column in (t, v, e, rate))
    x = np.log10(t)
    e = np.where(np.isfinite(e) & (e > 0), e, np.nan)
    v, e, power = _within_reach(v, e)
    x, (v, e, rate), _ = _average(x, (v, e, rate), _coincident(x))
    if x.size == 0:
        return Series(x, v, float("nan"), 0.0, 1.0)
    dense_x, dense_v, count = x, v, np.ones(x.size)
    if x.size > MAX_POINTS:
        x, (v, e, rate), count = _average(x, (v, e, rate), _bins(x))
    centre, spread = float(v.mean()), float(v.std())
    # A spread at the level of rounding error is a constant curve.
    scale = spread if spread > 1e-12 * max(abs(centre), 1e-300) else 1.0
    y = (v - centre) / scale if scale == spread else np.zeros_like(v)
    se = float(np.nanmedian(e)) / scale if np.isfinite(e).any() else float("nan")
    dense = Dense(dense_x, (dense_v - centre) / scale) if dense_x.size > x.size else None
    unit = (float(np.ldexp(centre, power)), float(np.ldexp(scale, power)))
    return Series(
        *(x, y, se, *unit, _base(e, count), schedule_shapes(x, rate), dense),
        *(warm_up(x, rate), relative_rate(x, rate)),
    )


def _within_reach(v: Array, e: Array) -> tuple[Array, Array, int]:
    """Return values and standard errors ``(n,)`` near 1, and the k of ``given = it · 2**k``."""
    power = exponent(v)
    if power == 0:
        return v, e, 0
    with np.errstate(over="ignore", under="ignore"):
        errors = np.minimum(np.ldexp(e, -power), SAFE[1])
        return np.ldexp(v, -power), np.where(errors > 0, errors, np.nan), power


def _column(values: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    if values is None:
        return np.full(shape, np.nan)
    given = np.asarray(values, dtype=np.float64)
    return np.full(shape, float(given)) if given.ndim == 0 else given


def _coincident(x: Array) -> NDArray[np.intp]:
    """Number the positions, (numerically) equal ones alike.

    Positions are compared after rounding, so that rescaling the axis cannot change which coincide.
    """
    return np.concatenate([[0], np.cumsum(np.diff(x) > 1e-9)]) if x.size else np.empty(0, np.intp)


def _bins(x: Array) -> NDArray[np.intp]:
    """Number equal bins of log10(step)."""
    return np.searchsorted(np.linspace(x[0], x[-1], MAX_POINTS + 1)[1:-1], x, side="right")


def _average(
    x: Array, columns: tuple[Array, Array, Array], group: NDArray[np.intp]
) -> tuple[Array, tuple[Array, ...], Array]:
    """Return the mean position, mean columns and number of readings of each group.

    The second column holds standard errors: that of a mean of m readings is smaller by √m.
    """
    if x.size < 2:
        return x, columns, np.ones(x.size)
    count = np.bincount(group)
    filled = count > 0
    count = count[filled]
    values, errors, rates = (np.bincount(group, c)[filled] / count for c in columns)
    position = np.bincount(group, x)[filled] / count
    return position, (values, errors / np.sqrt(count), rates), count.astype(np.float64)


def _base(e: Array, count: Array) -> Array | None:
    """Return the relative noise of each reading, in powers of two, or None when nearly alike.

    Powers of two: metrics with similar standard errors then share one grid.
    """
    known = np.isfinite(e)
    if known.any() and np.nanmax(e) > UNEVEN * np.nanmin(e):
        relative = np.where(known, e / np.nanmedian(e), 1.0)
        return np.asarray(2.0 ** np.clip(np.round(np.log2(relative)), -3, 3))
    if count.max(initial=1.0) > 1.0:
        return np.asarray(np.sqrt(np.median(count) / count))
    return None
