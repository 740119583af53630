"""Streams with known truth for the bench of the online detector: trends, noise, events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
Rng = np.random.Generator

LENGTH = 2000


def power_law(t: Floats, rng: Rng) -> Floats:
    return rng.uniform(2, 9) * (1 + t / rng.uniform(3, 100)) ** -rng.uniform(0.2, 1.0)


def two_power_laws(t: Floats, rng: Rng) -> Floats:
    return power_law(t, rng) + rng.uniform(0.2, 0.8) * power_law(t, rng)


def exponential(t: Floats, rng: Rng) -> Floats:
    return rng.uniform(0.5, 4) * np.exp(-t / rng.uniform(150, 1000))


def _logistic(x: Floats, centre: float, width: float) -> Floats:
    return 1 / (1 + np.exp(np.clip(2 * np.log(9) * (x - centre) / width, -60, 60)))


def broad_log_logistic(t: Floats, rng: Rng) -> Floats:
    fall = rng.uniform(0.5, 3) * _logistic(
        np.log10(t), rng.uniform(1.8, 3.2), rng.uniform(0.5, 1.2)
    )
    return fall + 0.5 * power_law(t, rng)


def broad_linear_logistic(t: Floats, rng: Rng) -> Floats:
    width = rng.uniform(400, 1200)
    return rng.choice([-1, 1]) * rng.uniform(0.2, 1.5) * _logistic(t, rng.uniform(300, 1700), width)


def cosine(t: Floats, rng: Rng) -> Floats:
    share = 0.5 * (1 + np.cos(np.pi * t / t[-1]))
    return power_law(t, rng) + rng.uniform(0.05, 0.4) * share


def wsd(t: Floats, rng: Rng) -> Floats:
    begin = rng.uniform(0.6, 0.9) * t[-1]
    done = np.clip((t - begin) / (t[-1] - begin), 0, 1)
    return power_law(t, rng) - rng.uniform(0.05, 0.4) * done ** rng.uniform(0.7, 1.5)


def warmup(t: Floats, rng: Rng) -> Floats:
    reach = rng.uniform(20, 100)
    done = np.where(t < reach, t**2 / (2 * reach), t - reach / 2)
    return power_law(done + 1, rng)


def flat(t: Floats, rng: Rng) -> Floats:
    return np.zeros_like(t)


def stretched(t: Floats, rng: Rng) -> Floats:
    return rng.uniform(1, 5) * np.exp(-((t / rng.uniform(50, 800)) ** rng.uniform(0.3, 0.9)))


def log_linear(t: Floats, rng: Rng) -> Floats:
    return -rng.uniform(0.1, 1.5) * np.log10(t)


def three_power_laws(t: Floats, rng: Rng) -> Floats:
    return power_law(t, rng) + 0.5 * power_law(t, rng) + 0.3 * power_law(t, rng)


def double_descent(t: Floats, rng: Rng) -> Floats:
    bump = (np.log10(t) - rng.uniform(2.3, 3.1)) / rng.uniform(0.2, 0.4)
    return power_law(t, rng) + rng.uniform(0.2, 1) * np.exp(-0.5 * bump**2)


TUNED: dict[str, Callable[[Floats, Rng], Floats]] = {
    f.__name__: f
    for f in (
        power_law,
        two_power_laws,
        exponential,
        broad_log_logistic,
        broad_linear_logistic,
        cosine,
        wsd,
        warmup,
        flat,
    )
}
HELD_OUT: dict[str, Callable[[Floats, Rng], Floats]] = {
    f.__name__: f for f in (stretched, log_linear, three_power_laws, double_descent)
}


def ar1(n: int, phi: float, rng: Rng) -> Floats:
    """AR(1) noise of unit marginal variance."""
    shocks = rng.normal(size=n) * np.sqrt(1 - phi**2)
    shocks[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -phi], shocks))


def noise(n: int, rng: Rng) -> tuple[Floats, Floats]:
    """AR(1) noise whose sd drifts by a factor of up to 3, and its marginal sd by reading."""
    phi = rng.uniform(0, 0.6)
    drift = rng.uniform(-1, 1) * np.log(3)
    path = np.linspace(0, 1, n) if rng.random() < 0.5 else np.sin(np.linspace(0, np.pi, n))
    sd = rng.uniform(0.01, 0.06) * np.exp(drift * path)
    return ar1(n, phi, rng) * sd, sd


def spikes(n: int, sd: Floats, rng: Rng) -> Floats:
    out = np.zeros(n)
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(60, n - 30)), int(rng.integers(1, 11))
        size = rng.choice([-1, 1], p=[0.2, 0.8]) * rng.uniform(4, 40) * sd[at]
        if rng.random() < 0.5:
            out[at : at + length] += size
        else:
            out[at:] += size * np.exp(-np.arange(n - at) / (length / 2))
    return out


def restart(n: int, sd: Floats, rng: Rng) -> Floats:
    """Loss rises over a rewarm of 10-60 readings and decays back over 20-150."""
    at, up, down = int(rng.integers(300, n - 300)), rng.uniform(10, 60), rng.uniform(20, 150)
    since = np.arange(n) - at
    shape = np.clip(since / up, 0, 1) * np.exp(-np.maximum(since - up, 0) / down)
    return rng.uniform(4, 15) * sd[at] * shape


def rise(since: Floats, ramp: float) -> Floats:
    """From 0 to 1 at once, or as a logistic whose 10-90 % width is .8 ramp readings."""
    if ramp <= 0:
        return (since >= 0).astype(float)
    return _logistic(-(since - ramp / 2), 0.0, 0.8 * ramp)


def shift(n: int, sd: Floats, rng: Rng, low: float = 3.0, high: float = 6.0) -> tuple[Floats, int]:
    """A lasting shift of `low` to `high` marginal sds somewhere after reading 200."""
    at = int(rng.integers(200, n - 150))
    ramp = rng.choice([0.0, 1.0]) * rng.uniform(2, 20)
    size = rng.choice([-1, 1]) * rng.uniform(low, high) * sd[at]
    return size * rise(np.arange(n) - float(at), ramp), at


def probes(rng: Rng, jump: float) -> tuple[Floats, Floats, float, float | None]:
    """A short stream of log-spaced readings: positions, values, their standard error, a jump.

    The trend is a power law, a logistic at least .5 decades wide or flat; a jump of `jump` standard
    errors takes place between two readings, at least nine after the first and six before the last.
    """
    per_decade = rng.choice([12, 24])
    n = int(rng.integers(24, 60))
    t = 10.0 ** (5.0 + np.cumsum(rng.uniform(0.8, 1.2, size=n)) / per_decade)
    x = np.log10(t)
    kind = rng.integers(3)
    trend = np.zeros(n)
    if kind == 1:
        trend = rng.uniform(0.2, 0.6) * _logistic(
            -x, -rng.uniform(x[0], x[-1]), rng.uniform(0.5, 1.5)
        )
    if kind == 2:
        trend = rng.uniform(1, 3) * (t / t[0]) ** -rng.uniform(0.1, 0.5)
    sd = rng.uniform(0.01, 0.03)
    values = trend + sd * rng.normal(size=n)
    if not jump:
        return t, values, sd, None
    at = int(rng.integers(9, n - 6))
    return t, values + rng.choice([-1, 1]) * jump * sd * (np.arange(n) >= at), sd, float(t[at])
