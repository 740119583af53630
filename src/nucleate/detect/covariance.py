"""The smooth null: a Gaussian process over log10(step) plus autocorrelated, uneven noise.

The length scale has a floor: anything smoother than that is trend, anything sharper is an event
(DESIGN's measured family). Variances are in units of the noise variance, which is profiled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LENGTHS = (0.5, 0.9)
"""Length scales of the trend, in decades; the first is the floor."""

RATIOS = (0.0, 1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6)
"""Trend variance over noise variance."""

RHOS = (0.0, 0.35, 0.65)
"""Correlation of the noise of neighbouring readings."""

SLOPES = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Change of log10 noise standard deviation per decade of steps."""


@dataclass(frozen=True, slots=True)
class Hyper:
    """One setting of the null: length scale, variance ratio, noise correlation, noise slope."""

    length: float
    ratio: float
    rho: float
    slope: float


def hyper_grid(rhos: Sequence[float] = RHOS) -> tuple[Hyper, ...]:
    """Return every setting that the fit may choose."""
    trends = [(LENGTHS[0], 0.0), *product(LENGTHS, RATIOS[1:])]
    return tuple(
        Hyper(length, ratio, rho, slope)
        for (length, ratio), rho, slope in product(trends, rhos, SLOPES)
    )


def neighbours(hypers: tuple[Hyper, ...], centre: int) -> list[int]:
    """Return the settings that a curve simulated under `centre` is plausibly fitted by."""
    position = RATIOS.index(hypers[centre].ratio)
    near = RATIOS[max(position - 2, 0) : position + 2]
    return [index for index, hyper in enumerate(hypers) if hyper.ratio in near]


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
