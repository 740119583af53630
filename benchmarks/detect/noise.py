"""Noise of readings, and how far a change stands out of it."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from benchmarks.detect.grids import Grid


def ar1(rng: np.random.Generator, num: int, rho: float) -> np.ndarray:
    """Stationary AR(1) noise of variance 1, shape ``(num,)``."""
    noise = rng.standard_normal(num)
    noise[1:] *= np.sqrt(1.0 - rho * rho)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise))


def uneven(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Standard deviation of each reading: even, or drifting by up to a factor of three."""
    size = 10.0 ** (rng.uniform(-2.0, -0.7) if grid.dense else rng.uniform(-2.6, -0.9))
    drift = rng.choice((0.0, 1.0)) * rng.uniform(-1.0, 1.0) * np.log10(3.0)
    return size * 10.0 ** (drift * ((grid.x - grid.x[0]) / grid.span - 0.5))


def signal_to_noise(grid: Grid, shape: np.ndarray, deviation: np.ndarray) -> float:
    """Norm of a change beyond its own quartic in log step, every reading in units of its noise."""
    x = grid.x[grid.there]
    weight = 1.0 / deviation[grid.there]
    z = (x - x.mean()) / np.ptp(x)
    quartic = np.vander(z, 5) * weight[:, None]
    signal = shape[grid.there] * weight
    return float(np.linalg.norm(signal - quartic @ np.linalg.lstsq(quartic, signal, rcond=None)[0]))


def band(value: float, edges: tuple[float, ...]) -> str:
    """Label of the interval that a value falls in."""
    bounds = (None, *edges, None)
    i = int(np.searchsorted(edges, value, side="right"))
    low, high = bounds[i], bounds[i + 1]
    if low is None:
        return f"<{high:g}"
    return f">={low:g}" if high is None else f"{low:g}-{high:g}"
