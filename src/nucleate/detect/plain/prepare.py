"""Before the search: outliers set right, a season taken out, every series on one scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

OUTLIER = 5.0
"""Readings further than this from the median of their neighbours, in robust deviations, are set
to that median."""

NEIGHBOURS = 3
"""Neighbours on either side."""

SEASON_SHARE = 0.5
"""Share of the variance around a slow trend that a season must explain to be taken out."""

LONGEST_SEASON = 400
"""Longest period that is looked for, in readings."""


def as_table(values: ArrayLike) -> Array:
    """Return values as a table of shape ``(N, D)``; gaps are bridged by straight lines.

    Raises:
        ValueError: When there are more than two dimensions.
    """
    table = np.array(values, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise ValueError(f"values must have shape (n,) or (n, d), got {table.shape}")
    place = np.arange(table.shape[0])
    for column in table.T:
        known = np.isfinite(column)
        if known.any():
            column[~known] = np.interp(place[~known], place[known], column[known])
        else:
            column[:] = 0.0
    return table


def standardised(table_ND: Array) -> Array:
    """Return every series with outliers set right, without its season, mean 0 and variance 1.

    A series that never changes stays at 0.
    """
    out = np.zeros_like(table_ND)
    if table_ND.shape[0] == 0:
        return out
    for source, target in zip(table_ND.T, out.T, strict=True):
        clean = without_season(without_outliers(source))
        spread = float(clean.std())
        if spread > 1e-10 * max(float(np.abs(clean).max()), 1e-300):
            target[:] = (clean - clean.mean()) / spread
    return out


def without_outliers(series_N: Array) -> Array:
    """Return a series whose isolated outliers are replaced by the median of their neighbours."""
    num = series_N.size
    if num < 2 * NEIGHBOURS + 1:
        return series_N.copy()
    padded = np.pad(series_N, NEIGHBOURS, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1), axis=1)
    away = np.abs(series_N - middle)
    scale = float(np.median(away)) / 0.6745
    # Where most readings lie on their medians, the scale of the others says what is usual.
    scale = max(scale, 0.25 * float(series_N.std()))
    return np.where(away > OUTLIER * scale, middle, series_N)


def without_season(series_N: Array) -> Array:
    """Return a series without its periodic part, where that explains most of its wiggles."""
    period = season(series_N)
    if period == 0:
        return series_N
    rest = series_N - _slow(series_N, period)
    phase = np.arange(series_N.size) % period
    pattern = np.array([np.median(rest[phase == p]) for p in range(period)])
    out: Array = series_N - (pattern - pattern.mean())[phase]
    return out


def season(series_N: Array) -> int:
    """Return the period of a series that repeats itself at least four times, or 0.

    The period is the first peak of the autocorrelation, around a running mean, that is at least
    `SEASON_SHARE`.
    """
    num = series_N.size
    for period in range(4, min(num // 4, LONGEST_SEASON) + 1):
        rest = series_N - _slow(series_N, period)
        spread = float(rest @ rest)
        if spread <= 0.0:
            return 0
        lagged = [
            float(rest[:-lag] @ rest[lag:]) / spread for lag in (period - 1, period, period + 1)
        ]
        if lagged[1] == max(lagged) and lagged[1] * num / (num - period) >= SEASON_SHARE:
            return period
    return 0


def _slow(series_N: Array, period: int) -> Array:
    """Running mean over one period, shape ``(N,)``."""
    padded = np.pad(series_N, period // 2, mode="reflect", reflect_type="odd")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    out: Array = (sums[period:] - sums[:-period]) / period
    # An even period has no middle: the mean of the two windows beside it.
    return out if period % 2 else 0.5 * (out[1:] + out[:-1])
