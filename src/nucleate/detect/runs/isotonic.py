"""One rising curve through all runs, and what it predicts of a run that was left out.

Source: Ayer et al. 1955 (isotonic regression), as `scipy.optimize.isotonic_regression`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_GAP = 0.1
"""Where the other runs leave a larger hole than this share of the rise, nothing is predicted."""


def isotonic(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the isotonic fit at the distinct values of x."""
    from scipy.optimize import isotonic_regression

    distinct, group, count = np.unique(x, return_inverse=True, return_counts=True)
    mean = np.bincount(group, y) / count
    return distinct, np.asarray(isotonic_regression(mean, weights=count).x)


def common(x: Array, acc: Array) -> Array:
    """Return the common curve of all runs at their own readings, in [0, 1].

    Straight lines between the centres of the isotonic blocks, because noise makes steps of a rise
    and simulations from those steps would rise too little inside them.
    """
    knots, values = isotonic(x, acc)
    block = np.concatenate([[0], np.cumsum(np.diff(values) > 0)])
    count = np.bincount(block)
    middle, level = np.bincount(block, knots) / count, np.bincount(block, values) / count
    return np.asarray(np.clip(np.interp(x, middle, level), 0.0, 1.0))


def predict(x: Array, y: Array, at: Array) -> Array:
    """Return the isotonic fit at other places; NaN outside its range and in its holes."""
    knots, values = isotonic(x, y)
    after = np.clip(np.searchsorted(knots, at), 1, max(knots.size - 1, 1))
    jump = np.diff(values, append=values[-1])[after - 1]
    known = (jump <= MAX_GAP * float(np.ptp(y))) & (at >= knots[0]) & (at <= knots[-1])
    return np.where(known, np.interp(at, knots, values), np.nan)


def held_out(x: Array, acc: Array, run: NDArray[np.intp]) -> Array:
    """Return accuracy minus its prediction from all other runs, shape ``(N,)``; NaN outside."""
    residual = np.full(acc.shape, np.nan)
    for label in np.unique(run):
        own = run == label
        residual[own] = acc[own] - predict(x[~own], acc[~own], x[own])
    return residual
