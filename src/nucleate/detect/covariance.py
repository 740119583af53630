"""The smooth null: a Gaussian process over log10(step) plus autocorrelated, uneven noise.

The length scale has a floor: anything smoother than that is trend, anything sharper is an event
(DESIGN's measured family). Variances are in units of the noise variance, which is profiled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LENGTHS = {0.5: 0.05, 0.8: 0.25, 1.3: 0.40, 2.2: 0.30}
"""Length scales of the trend, in decades, with their prior; the first is the floor."""

RATIOS = {0.0: 0.07, 3.0: 0.12, 30.0: 0.25, 300.0: 0.27, 3e3: 0.18, 3e4: 0.08, 3e5: 0.03}
"""Trend variance over noise variance, with its prior; 0 is no trend but a straight line."""

RHOS = {0.0: 0.45, 0.3: 0.35, 0.6: 0.20}
"""Correlation of the noise of neighbouring readings, with its prior."""

SLOPES = {-0.3: 0.03, -0.1: 0.12, 0.0: 0.70, 0.1: 0.12, 0.3: 0.03}
"""Change of log10 noise standard deviation per decade of steps, with its prior."""


@dataclass(frozen=True, slots=True)
class Hyper:
    """One setting of the null: length scale, variance ratio, noise correlation, noise slope."""

    length: float
    ratio: float
    rho: float
    slope: float


def hyper_grid(rhos: Iterable[float] = RHOS) -> tuple[Hyper, ...]:
    """Return every setting of the null."""
    bare, *others = RATIOS
    trends = [(min(LENGTHS), bare), *product(LENGTHS, others)]
    return tuple(
        Hyper(length, ratio, rho, slope)
        for (length, ratio), rho, slope in product(trends, rhos, SLOPES)
    )


def log_prior(hypers: Sequence[Hyper]) -> Array:
    """Return the log prior probability of each setting; they sum to one.

    The four priors are independent. They were read off smooth learning curves of a dozen families
    by expectation–maximisation (`docs/how-we-decide.md`) and rounded; a straight line has no
    length.
    """
    weight = np.array(
        [
            RATIOS[each.ratio]
            * (LENGTHS[each.length] if each.ratio else 1.0)
            * RHOS[each.rho]
            * SLOPES[each.slope]
            for each in hypers
        ]
    )
    return np.asarray(np.log(weight / weight.sum()))


def trend_covariance(x1: Array, x2: Array, length: float) -> Array:
    """Return the squared-exponential covariance, shape ``(len(x1), len(x2))``."""
    return np.asarray(np.exp(-0.5 * ((x1[:, None] - x2[None, :]) / length) ** 2))


def noise_covariance(x: Array, rho: float, slope: float, base: Array | None = None) -> Array:
    """Return AR(1) noise (by order of reading) whose deviation drifts along x.

    `base` is the known relative deviation of each reading, shape ``(n,)`` (None: all equal).
    """
    order = np.arange(x.size)
    deviation = 10.0 ** np.clip(slope * (x - x.mean()), -1.5, 1.5)
    if base is not None:
        deviation = deviation * base
    correlation = rho ** np.abs(order[:, None] - order[None, :])
    return np.asarray(correlation * deviation[:, None] * deviation[None, :])
