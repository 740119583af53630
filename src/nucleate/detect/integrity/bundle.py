"""The bundle of runs of one metric: how far each run is from the others, and how far is too far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve
from nucleate.detect.integrity.panel import MAX_POSITIONS, log_positions
from nucleate.detect.reach import exponent

Array = NDArray[np.float64]

BINS = 80
"""Long tables are averaged in so many bins of log10."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far runs are from the others, shape ``(R, n)`` each, positive above them.

    Attributes:
        robust: In the mean distance of the nearest three quarters of the others to their median.
        plain: In standard errors of a prediction from the others' mean (Student's t in order).
    """

    robust: Array
    plain: Array


def bundle(curves: list[Curve]) -> tuple[Array, Array]:
    """Return positions ``(n,)`` and values ``(R, n)`` where all runs were measured.

    Runs of more than 400 readings are averaged in 80 bins of the logarithm that all share.
    """
    axes = [curve.tokens for curve in curves]
    values = [np.asarray(curve.values, dtype=np.float64) for curve in curves]
    if max(axis.size for axis in axes) > MAX_POSITIONS:
        return _binned(axes, values)
    at = axes[0]
    for axis in axes[1:]:
        at = np.intersect1d(at, axis)
    at = np.unique(at)
    table = np.stack([v[np.searchsorted(a, at)] for a, v in zip(axes, values, strict=True)])
    whole = np.isfinite(table).all(axis=0)
    return at[whole], table[:, whole]


def _binned(axes: list[Array], values: list[Array]) -> tuple[Array, Array]:
    """Average every run in shared bins of log10."""
    logs = [log_positions(axis) for axis in axes]
    low, high = max(u[0] for u in logs), min(u[-1] for u in logs)
    if high <= low:
        return np.empty(0), np.empty((len(axes), 0))
    edges = np.linspace(low, high, BINS + 1)
    table = np.full((len(axes), BINS), np.nan)
    for row, (u, v) in enumerate(zip(logs, values, strict=True)):
        inside = np.isfinite(v) & (u >= low) & (u <= high)
        group = np.clip(np.searchsorted(edges, u[inside], side="right") - 1, 0, BINS - 1)
        count = np.bincount(group, minlength=BINS)
        total = np.bincount(group, v[inside], minlength=BINS)
        table[row] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    whole = np.isfinite(table).all(axis=0)
    return 10.0 ** (edges[:-1] + np.diff(edges) / 2)[whole], table[:, whole]


def distances(values: Array, least: float = 0.0) -> Distance:
    """Return how far each run is from the others.

    Spreads are averaged over five positions, at least a tenth of their own median over the run,
    so that a moment at which the others happen to agree does not make an outlier, and at least
    `least` (in the metric's unit).

    Args:
        values: Shape ``(R, n)``, R ≥ 4.
        least: A difference that means nothing.
    """
    robust, plain = np.empty_like(values), np.empty_like(values)
    power = exponent(values)
    values, least = np.ldexp(values, -power), float(np.ldexp(least, -power))
    tiny = max(least, 1e-9 * float(np.abs(values).max()), 1e-300)
    for r in range(len(values)):
        others = np.delete(values, r, axis=0)
        middle, width = _spread(others)
        robust[r] = (values[r] - middle) / _steady(width, tiny)
        error = others.std(axis=0, ddof=1) * math.sqrt(1 + 1 / len(others))
        plain[r] = (values[r] - others.mean(axis=0)) / _steady(error, tiny)
    return Distance(robust, plain)


def _spread(others: Array) -> tuple[Array, Array]:
    """Return the median of other runs and the mean distance of the nearest three quarters to it.

    That bears as many outliers among the others as a quarter of them, and its tail is lighter
    than that of a median absolute deviation of three or four runs.
    """
    middle = np.median(others, axis=0)
    kept = max(2, int(0.75 * len(others)))
    near = np.sort(np.abs(others - middle), axis=0)[:kept]
    return middle, np.asarray(near.mean(axis=0))


def _steady(width: Array, least: float) -> Array:
    padded = np.pad(width, 2, mode="edge")
    smooth = np.convolve(padded, np.full(5, 0.2), mode="valid")
    return np.asarray(np.maximum(smooth, max(0.1 * float(np.median(smooth)), least)))


@lru_cache(maxsize=64)
def _quantiles(others: int) -> tuple[float, float]:
    """Return the distances that Gaussian runs exceed with probability 1e-3 and 1e-4 (simulated)."""
    rng = np.random.default_rng([1974, others])
    drawn = rng.normal(size=(others + 1, 100_000))
    middle, width = _spread(drawn[1:])
    lower, upper = np.quantile(np.abs(drawn[0] - middle) / width, (1 - 1e-3, 1 - 1e-4))
    return float(lower), float(upper)


def critical(others: int, alpha: float) -> tuple[float, float]:
    """Return the robust and the plain distance that a run in order exceeds with probability alpha.

    The robust one is simulated for Gaussian runs, beyond probability 1e-4 with a power-law tail;
    the plain one is Student's t.

    Args:
        others: Number of other runs, ≥ 3 (their spread is the more uncertain the fewer there are).
        alpha: Probability, two-sided.
    """
    from scipy.special import stdtrit

    lower, upper = _quantiles(min(others, 20))
    robust = upper * (upper / lower) ** np.log10(1e-4 / alpha)
    return float(robust), float(-stdtrit(others - 1, alpha / 2))


def tail(others: int, robust: float, plain: float) -> float:
    """Return the smaller of the two probabilities of distances so large (see `critical`)."""
    from scipy.special import stdtr

    lower, upper = _quantiles(min(others, 20))
    by_rank = 1e-4 * (upper / max(abs(robust), 1e-12)) ** (1.0 / np.log10(upper / lower))
    return min(1.0, float(by_rank), 2 * float(stdtr(others - 1, -abs(plain))))
