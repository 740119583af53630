"""The 10–90 % width of a rise, read off a monotone fit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def rise_width(u: ArrayLike, m: ArrayLike) -> float:
    """Return the distance in u between 10 and 90 % of a rise (NaN when it does not rise).

    A non-decreasing least-squares fit is followed between its lowest and its highest level, so
    both plateaus must be in view. A logistic with scale w has width 2 ln 9 · w = 4.39 w.

    Args:
        u: log10 positions, shape ``(n,)``, increasing.
        m: Order parameter, same shape; NaN are dropped.

    >>> u = np.linspace(-3, 3, 601)
    >>> round(rise_width(u, 1 / (1 + np.exp(-u / 0.2))), 2)
    0.88
    """
    from scipy.optimize import isotonic_regression

    x, y = np.asarray(u, dtype=np.float64), np.asarray(m, dtype=np.float64)
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]
    if x.size < 4:
        return math.nan
    fit = np.asarray(isotonic_regression(y).x)
    span = float(fit[-1] - fit[0])
    if span <= 1e-9 * max(1e-300, float(np.abs(y).max())):
        return math.nan
    low, high = (_crossing(x, fit, float(fit[0]) + share * span) for share in (0.1, 0.9))
    return high - low


def _crossing(x: np.ndarray, fit: np.ndarray, level: float) -> float:
    """Return where a non-decreasing fit first reaches a level, between readings by a line."""
    k = int(np.argmax(fit >= level))
    if k == 0:
        return float(x[0])
    share = (level - fit[k - 1]) / (fit[k] - fit[k - 1])
    return float(x[k - 1] + share * (x[k] - x[k - 1]))
