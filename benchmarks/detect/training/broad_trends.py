"""Smooth trends for `benchmarks.detect.training.broad`: nothing narrower than `NARROWEST` decades.

Each is a function of ``u``, decades since the first reading, that returns shape ``(n,)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.detect.smooth import draw_smooth, logistic

Rng = np.random.Generator
Trend = Callable[[Rng, np.ndarray], np.ndarray]

NARROWEST = 0.6
"""10–90 % width of the narrowest rise, and of the change of slope of the narrowest bend."""


def unit(values: np.ndarray) -> np.ndarray:
    """Return values that begin at zero and span one (zeros when they are constant)."""
    extent = float(np.ptp(values))
    return (values - values[0]) / extent if extent > 1e-9 else 0.0 * values


def wide(rng: Rng, most: float = 3.0) -> float:
    """Draw a width, narrow ones as often as wide ones."""
    return float(np.exp(rng.uniform(np.log(NARROWEST), np.log(most))))


def sigmoid(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A rise of any of five forms, anywhere."""
    centre, width = rng.uniform(-0.3, u[-1] + 0.3), wide(rng)
    form = rng.choice(("logistic", "tanh of a root", "algebraic", "richards", "weibull"))
    if form == "logistic":
        return logistic(u, centre, width)
    if form == "algebraic":
        power = rng.uniform(1.6, 4.0)
        reach = 0.8 / (1.0 - 0.8**power) ** (1.0 / power)
        z = (u - centre) / width * 2.0 * reach
        return 0.5 + 0.5 * z / (1.0 + np.abs(z) ** power) ** (1.0 / power)
    if form == "richards":
        lean = 10.0 ** rng.uniform(-0.7, 0.7)
        z = np.linspace(-40.0, 40.0, 2001)
        values = (1.0 + np.exp(-z)) ** -lean
        extent = float(np.interp(0.9, values, z) - np.interp(0.1, values, z))
        return (1.0 + np.exp(np.clip(-(u - centre) / width * extent, -60, 60))) ** -lean
    if form == "weibull":
        # 1 - exp(-(t / scale)^k) spans 10–90 % in log10(21.85) / k decades.
        return -np.expm1(-(10.0 ** np.clip((u - centre) * 1.3395 / width, -30.0, 3.0)))
    z = (u - centre) / width * 2.0
    return np.tanh(z / (1.0 + 0.3 * z**2) ** 0.25)


def skills(rng: Rng, u: np.ndarray) -> np.ndarray:
    """The mean of many skills, learnt one after another over more than a decade."""
    num = int(rng.integers(3, 30))
    centres = rng.uniform(0.0, u[-1]) + rng.uniform(0.4, 1.2) * rng.standard_normal(num)
    return rng.dirichlet(np.full(num, 2.0)) @ [logistic(u, c, wide(rng, 1.5)) for c in centres]


def bends(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Straight pieces that pass into each other over more than half a decade."""
    out = rng.normal() * u
    for _ in range(int(rng.integers(1, 4))):
        bend = 2.0 * np.log(9.0) / wide(rng, 1.5)
        centre = rng.uniform(-0.2, u[-1] + 0.2)
        out = out + rng.normal() * np.logaddexp(0.0, bend * (u - centre)) / bend
    return out


def late(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Proportional to a power of the steps, so that all of it happens at the end."""
    power = rng.uniform(0.2, 1.4)
    return np.exp(power * np.log(10.0) * (u - u[-1])) + rng.uniform(0.0, 1.0) * simple(rng, u)


def process(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A draw of a twice differentiable Matérn process (5/2)."""
    knots = np.linspace(u[0], u[-1], 80)
    scaled = np.sqrt(5.0) * np.abs(knots[:, None] - knots) / rng.uniform(0.9, 3.0)
    cov = (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled) + 1e-8 * np.eye(80)
    fine = np.linalg.cholesky(cov) @ rng.standard_normal(80)
    # Twice averaged, so that the knots do not show.
    return np.interp(u, knots, np.convolve(np.pad(fine, 3, "edge"), np.ones(7) / 7.0, "valid"))


def waves(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Slow waves of log step that die out, or grow."""
    phase, period = rng.uniform(0.0, 6.3), rng.uniform(1.8, 5.0)
    return np.exp(rng.uniform(-0.5, 0.5) * u) * np.sin(6.283 * u / period + phase)


def flat(rng: Rng, u: np.ndarray) -> np.ndarray:
    return np.zeros_like(u)


def familiar(rng: Rng, u: np.ndarray) -> np.ndarray:
    return draw_smooth(rng, u)[1]


SIMPLE: tuple[Trend, ...] = (sigmoid, sigmoid, skills, bends, process, waves, familiar, familiar)


def simple(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Draw any of the simple trends, over a range of one."""
    return unit(SIMPLE[int(rng.integers(len(SIMPLE)))](rng, u))


def linked(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A probability, or another saturating function, of a simple trend."""
    z = rng.uniform(0.5, 2.0) * (simple(rng, u) - rng.uniform(-0.2, 1.2))
    form = int(rng.integers(4))
    if form == 0:
        return 1.0 / (1.0 + rng.integers(1, 50) * np.exp(-2.0 * z))
    if form == 1:
        return np.exp(-1.5 * z)
    if form == 2:
        return np.sqrt(z**2 + rng.uniform(0.05, 0.5))
    return np.log(0.1 + np.exp(1.5 * z))


def joined(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A sum, product or quotient of two simple trends."""
    one, two = simple(rng, u), simple(rng, u)
    form = int(rng.integers(3))
    if form == 0:
        return one + rng.uniform(-1.5, 1.5) * two
    if form == 1:
        return (one + rng.uniform(0.0, 1.0)) * (two + rng.uniform(0.0, 1.0))
    return (one + rng.uniform(-0.5, 1.5)) / (1.5 + rng.uniform(0.5, 1.0) * two)


TRENDS: tuple[Trend, ...] = (simple, simple, linked, joined, joined, late, flat)


def draw_trend(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Draw a trend of range one (or a constant), of either sign, shape ``(n,)``."""
    trend = TRENDS[int(rng.integers(len(TRENDS)))](rng, u)
    return float(rng.choice((-1.0, 1.0))) * unit(np.asarray(trend, dtype=np.float64))
