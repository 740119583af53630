"""Noise of the third generator: many kinds of stated size, and accuracies counted over items."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

Rng = np.random.Generator

KINDS = (
    "plain",
    "carried over",
    "shrinking",
    "by level",
    "by slope",
    "heavy tails",
    "mild outliers",
    "wandering",
    "two sources",
    "rounded",
)

SIZES = (0.0025, 0.1)
"""Median standard deviation, in ranges of the curve."""

MOST_CARRIED = 0.6
"""Largest correlation of neighbouring readings under AR(1)."""

MILD = (2.0, 2.9)
"""Size of mild outliers, in standard deviations."""


def carried(rng: Rng, num: int, rho: float) -> np.ndarray:
    """Gaussian noise of unit variance, shape ``(num,)``, each reading keeping `rho` of the last."""
    fresh = rng.normal(size=num) * np.sqrt(1.0 - rho**2)
    fresh[0] = rng.normal()
    return lfilter([1.0], [1.0, -rho], fresh)


def profile(rng: Rng, kind: str, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return how noise varies along a curve: factors with median 1, shape ``(n,)``."""
    part = (x - x[0]) / (x[-1] - x[0])
    factors = np.ones(x.size)
    if kind == "shrinking":
        factors = 10.0 ** (-rng.uniform(0.2, 0.9) * part)
    elif kind == "by level":
        level = (mean - mean.min()) / np.ptp(mean)
        level = level if rng.random() < 0.5 else 1.0 - level
        factors = rng.uniform(0.2, 1.0) + level
    elif kind == "by slope":
        steep = np.abs(np.gradient(mean, x))
        factors = rng.uniform(0.3, 1.5) + np.minimum(steep / (steep.mean() + 1e-300), 3.0)
    return factors / np.median(factors)


def unit(rng: Rng, kind: str, num: int) -> tuple[np.ndarray, float]:
    """Draw noise of unit variance, shape ``(num,)``, and the correlation of its neighbours."""
    if kind == "heavy tails":
        df = rng.uniform(4.5, 10.0)
        return rng.standard_t(df, num) / np.sqrt(df / (df - 2.0)), 0.0
    if kind == "mild outliers":
        often = rng.uniform(0.02, 0.08)
        far = rng.uniform(*MILD, num) * rng.choice((-1.0, 1.0), num)
        size = np.sqrt(1.0 - often + often * (MILD[0] ** 2 + MILD[0] * MILD[1] + MILD[1] ** 2) / 3)
        return np.where(rng.random(num) < often, far, rng.normal(size=num)) / size, 0.0
    if kind == "wandering":
        reach, share = rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.7)
        spread = 4 * int(np.ceil(4 * reach))
        path = gaussian_filter1d(rng.normal(size=num + 2 * spread), reach)[spread:-spread]
        kernel = gaussian_filter1d(np.eye(1, 2 * spread + 1, spread)[0], reach)
        path /= np.linalg.norm(kernel)
        near = share * float(kernel[1:] @ kernel[:-1]) / float(kernel @ kernel)
        return np.sqrt(share) * path + np.sqrt(1.0 - share) * rng.normal(size=num), near
    if kind == "two sources":
        rho, share = rng.uniform(0.2, MOST_CARRIED), rng.uniform(0.2, 0.8)
        both = np.sqrt(share) * carried(rng, num, rho) + np.sqrt(1.0 - share) * rng.normal(size=num)
        return both, share * rho
    rho = 0.0
    if kind == "carried over" or (kind not in ("plain", "rounded") and rng.random() < 0.4):
        rho = rng.uniform(0.0, MOST_CARRIED)
    return carried(rng, num, rho), rho


def rounding(deviation: float) -> float:
    """Return the power of ten that a logger rounds to: .2 to 2 standard deviations."""
    return float(10.0 ** np.floor(np.log10(2.0 * deviation)))


def num_items(mean: np.ndarray, deviation: float) -> int:
    """Return over how many items to count for a median deviation: from 40 to 40,000."""
    wanted = np.median(mean * (1.0 - mean)) / deviation**2
    return int(np.clip(wanted, 40, 40_000))


def counted(rng: Rng, mean: np.ndarray, num: int, rho: float, spread: float) -> np.ndarray:
    """Draw shares of `num` items answered right, shape ``(n,)``: multiples of ``1 / num``.

    Args:
        rng: Source of randomness.
        mean: Probabilities, shape ``(n,)``.
        num: Items.
        rho: Correlation of neighbouring readings.
        spread: Standard deviation in units of a binomial's. With `rho` 0 and `spread` 1 the count
            is binomial; otherwise a Gaussian of that deviation, rounded (the same items are asked
            at every reading, so that counts vary less than a binomial, or together).
    """
    if rho == 0.0 and spread == 1.0:
        return rng.binomial(num, mean) / num
    sd = spread * np.sqrt(mean * (1.0 - mean) / num)
    return np.clip(np.round(num * (mean + sd * carried(rng, mean.size, rho))), 0, num) / num
