"""How fast a metric still improves over a window, with an upper confidence bound.

Legend: B bins of a window; slopes are per decade, counted positive when the metric improves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gain:
    """Slope of one window.

    Attributes:
        slope: Improvement per decade.
        upper: Upper confidence bound that holds without any single bin, too.
        level: Mean value.
        error: Standard error of the level.
        left_B: What the line leaves over.
    """

    slope: float
    upper: float
    level: float
    error: float
    left_B: Floats


def gain(
    table_B6: Floats, direction: int, alpha: float, correlation: float, pooled: tuple[float, float]
) -> Gain:
    """Fit a line over bins, weighted by their counts.

    Args:
        table_B6: Rows of `LogBins`, at least 4.
        direction: 1 where up is better, -1 where down is.
        alpha: One-sided error probability of the upper bound.
        correlation: Lag-one correlation of the bins' noise.
        pooled: Noise variance of one reading from before, and its degrees of freedom.
    """
    count, x, y = table_B6[:, 1], table_B6[:, 2], direction * table_B6[:, 3]
    slope, spread, level, left = _line(count, x, y)
    variance, freedom = pooled
    freedom_all = count.size - 2.0 + freedom
    variance = (float(count @ left**2) + freedom * variance) / freedom_all
    known = float(np.sum(table_B6[:, 4])) / float(count.sum())
    inflation = (1.0 + correlation) / (1.0 - correlation)
    variance = max(variance, known) * inflation
    tolerance = t_quantile(alpha, max(freedom_all / inflation, 3.0))
    upper = slope + tolerance * math.sqrt(variance / spread)
    for out in range(count.size):
        keep = np.arange(count.size) != out
        other, other_spread, _, _ = _line(count[keep], x[keep], y[keep])
        upper = max(upper, other + tolerance * math.sqrt(variance / other_spread))
    error = math.sqrt(variance / float(count.sum()))
    return Gain(slope, upper, direction * level, error, left)


def noise_variance(table_B6: Floats) -> tuple[float, float]:
    """Variance of one reading from second differences of bins, and its degrees of freedom.

    Second differences do not feel a linear trend; outliers are capped at nine times the median.
    """
    count, x, y = table_B6[:, 1], table_B6[:, 2], table_B6[:, 3]
    if count.size < 3:
        return 0.0, 0.0
    right = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    miss = y[1:-1] - (1.0 - right) * y[:-2] - right * y[2:]
    scale = 1.0 / count[1:-1] + (1.0 - right) ** 2 / count[:-2] + right**2 / count[2:]
    square = miss**2 / scale
    square = np.minimum(square, 9.0 * 2.2 * np.median(square))
    return float(square.mean()), square.size * 0.5


def t_quantile(alpha: float, freedom: float) -> float:
    """Upper quantile of Student's t (Cornish–Fisher; Abramowitz & Stegun 26.7.5)."""
    z = -NormalDist().inv_cdf(alpha)
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _line(count: Floats, x: Floats, y: Floats) -> tuple[float, float, float, Floats]:
    """Return slope, weighted spread of x, weighted mean of y, and residuals."""
    total = float(count.sum())
    level = float(count @ y) / total
    centred = x - float(count @ x) / total
    spread = max(float(count @ centred**2), 1e-300)
    slope = float((count * centred) @ (y - level)) / spread
    return slope, spread, level, y - level - slope * centred
