"""Streams with known truth for the bench of the plateau detector.

Noise is set by what a window can resolve: the standard error of the slope over the last .2 decades
is a random share of the tolerance, so that a plateau can be proven at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detect.online_streams import ar1

Floats = NDArray[np.float64]

TOLERANCE = 0.2
SPAN = 0.2


@dataclass(frozen=True)
class Stream:
    """Positions, values, whether standard errors are told, and where the plateau begins."""

    positions: Floats
    values: Floats
    stderr: float | None
    begins: float | None
    direction: int


def stream(rng: np.random.Generator, plateau: bool, low: float, high: float) -> Stream:
    """Draw one stream.

    Args:
        rng: Source of randomness.
        plateau: Whether progress stops somewhere; else it stays at 2-10 times the tolerance.
        low: Least standard error of the slope over a span, as a share of the tolerance.
        high: Greatest.
    """
    dense = rng.random() < 0.4
    if dense:
        t = np.arange(1.0, rng.integers(1500, 2500)) + rng.integers(20, 200)
        phi = rng.uniform(0.0, 0.6)
    else:
        per_decade, phi = rng.uniform(24, 60), rng.uniform(0.0, 0.2)
        steps = rng.uniform(0.6, 1.4, size=int(2.5 * per_decade)) / per_decade
        t = 10.0 ** (5.0 + np.cumsum(steps))
    x = np.log10(t)
    begin = float(rng.uniform(x[0] + 0.4, x[-1] - 0.35)) if plateau else np.inf
    rate = TOLERANCE * rng.uniform(2.0, 10.0)
    bend = rng.uniform(-0.2, 0.6)
    progress = np.minimum(x, begin) - x[0]
    trend = rate * (progress + max(bend, 0.0) * progress**2)
    inside = x[(x > x[-1] - SPAN)] if not plateau else x[(x > begin) & (x < begin + SPAN)]
    spread = float(np.sum((inside - inside.mean()) ** 2))
    sd = TOLERANCE * rng.uniform(low, high) * np.sqrt(spread * (1 - phi) / (1 + phi))
    direction = int(rng.choice([-1, 1]))
    values = direction * trend + ar1(x.size, phi, rng) * sd
    told = float(sd) if not dense and rng.random() < 0.5 else None
    return Stream(t, values, told, begin if plateau else None, direction)
