"""Simulated general series with simulated annotators: what change-point benchmarks are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.detect.noise import ar1

Rng = np.random.Generator

ANNOTATORS = 5


@dataclass(frozen=True)
class Series:
    """A series, and what each annotator marked on it."""

    kind: str
    values: np.ndarray
    annotations: dict[str, list[int]]


def _length(rng: Rng, low: int = 15, high: int = 800) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high))))


def _places(rng: Rng, n: int, num: int) -> list[int]:
    """Places of changes, at least 8 % of the series (and four readings) apart."""
    gap = max(4, int(0.08 * n))
    while True:
        places = sorted(int(p) for p in rng.integers(gap, n - gap, num))
        if all(b - a >= gap for a, b in itertools.pairwise(places)):
            return places


def _levels(n: int, places: list[int], levels: np.ndarray) -> np.ndarray:
    return levels[np.searchsorted(places, np.arange(n), side="right")]


def _jumps(rng: Rng, num: int, low: float = 2.0, high: float = 6.0) -> np.ndarray:
    sizes = rng.uniform(low, high, num) * rng.choice((-1, 1), num)
    return np.r_[0.0, np.cumsum(sizes)]


def _shifts(rng: Rng, rho: float) -> tuple[np.ndarray, list[int]]:
    n = _length(rng)
    places = _places(rng, n, int(rng.integers(1, min(6, 2 + n // 30))))
    return _levels(n, places, _jumps(rng, len(places))) + ar1(rng, n, rho), places


def mean_shifts(rng: Rng) -> tuple[np.ndarray, list[int]]:
    return _shifts(rng, 0.0)


def autocorrelated_shifts(rng: Rng) -> tuple[np.ndarray, list[int]]:
    return _shifts(rng, rng.uniform(0.3, 0.7))


def shifts_and_outliers(rng: Rng) -> tuple[np.ndarray, list[int]]:
    values, places = _shifts(rng, rng.uniform(0.0, 0.3))
    hit = rng.choice(values.size, max(1, values.size // 60), replace=False)
    values[hit] += rng.choice((-1, 1), hit.size) * rng.uniform(6, 12, hit.size)
    return values, places


def quiet_levels(rng: Rng) -> tuple[np.ndarray, list[int]]:
    """Levels with hardly any noise, as of scanned lines or administrative counts."""
    n = _length(rng, 60)
    places = _places(rng, n, int(rng.integers(2, 7)))
    levels = rng.uniform(0, 10, len(places) + 1)
    return _levels(n, places, levels) + rng.uniform(0.05, 0.3) * ar1(rng, n, 0.3), places


def trend_breaks(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng, 20, 300)
    places = _places(rng, n, int(rng.integers(1, 3)))
    slopes = _jumps(rng, len(places), 2.0, 8.0) + rng.uniform(-3, 3)
    line = np.cumsum(_levels(n, places, slopes)) / n
    return line + rng.uniform(0.02, 0.15) * ar1(rng, n, rng.uniform(0, 0.6)), places


def trend_and_jump(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng, 20, 300)
    places = _places(rng, n, int(rng.integers(1, 3)))
    slopes = rng.uniform(-4, 4, len(places) + 1)
    line = np.cumsum(_levels(n, places, slopes)) / n
    line += _levels(n, places, _jumps(rng, len(places), 0.7, 2.0))
    return line + rng.uniform(0.03, 0.2) * ar1(rng, n, rng.uniform(0, 0.5)), places


def _season(rng: Rng, n: int) -> np.ndarray:
    period = int(rng.choice((4, 7, 12)))
    return np.resize(rng.standard_normal(period), n)


def seasonal_jump(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng, 60, 300)
    places = _places(rng, n, int(rng.integers(1, 3)))
    values = _levels(n, places, _jumps(rng, len(places), 1.5, 4.0)) + _season(rng, n)
    return values + rng.uniform(0.1, 0.5) * ar1(rng, n, 0.3), places


def seasonal_trend(rng: Rng) -> tuple[np.ndarray, list[int]]:
    """Season on a straight line: no change."""
    n = _length(rng, 60, 300)
    values = rng.uniform(-6, 6) * np.arange(n) / n + _season(rng, n)
    return values + 0.3 * ar1(rng, n, 0.3), []


def noise_only(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng)
    return ar1(rng, n, rng.uniform(0.0, 0.7)), []


def straight_line(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng)
    noise = rng.uniform(0.02, 0.3) * ar1(rng, n, rng.uniform(0.0, 0.6))
    return rng.choice((-1.0, 1.0)) * np.arange(n) / n + noise, []


def gentle_curve(rng: Rng) -> tuple[np.ndarray, list[int]]:
    """Growth that is a little curved, as of populations: no change."""
    t = np.linspace(0, 1, _length(rng, 20, 300))
    growth = np.expm1(rng.uniform(0.3, 1.2) * t)
    return growth / growth[-1] + rng.uniform(0.005, 0.05) * ar1(rng, t.size, 0.3), []


def variance_change(rng: Rng) -> tuple[np.ndarray, list[int]]:
    n = _length(rng, 80, 600)
    places = _places(rng, n, int(rng.integers(1, 3)))
    first = rng.choice((0, 1))
    loud = (np.searchsorted(places, np.arange(n), side="right") + first) % 2
    return np.where(loud, rng.uniform(3, 6), 1.0) * ar1(rng, n, 0.0), places


def wandering(rng: Rng) -> tuple[np.ndarray, list[int]]:
    """A random walk with rare large jumps, as of prices."""
    n = _length(rng, 60, 500)
    places = _places(rng, n, int(rng.integers(0, 3)))
    steps = rng.standard_normal(n)
    steps[places] += rng.choice((-1, 1), len(places)) * np.sqrt(n) * rng.uniform(1, 2)
    return np.cumsum(steps), places


KINDS: dict[str, Callable[[Rng], tuple[np.ndarray, list[int]]]] = {
    "mean shifts": mean_shifts,
    "autocorrelated shifts": autocorrelated_shifts,
    "shifts and outliers": shifts_and_outliers,
    "quiet levels": quiet_levels,
    "trend breaks": trend_breaks,
    "trend and jump": trend_and_jump,
    "seasonal jump": seasonal_jump,
    "variance change": variance_change,
    "wandering": wandering,
    "seasonal trend": seasonal_trend,
    "noise only": noise_only,
    "straight line": straight_line,
    "gentle curve": gentle_curve,
}
"""Kinds of series of one dimension."""


def draw_series(rng: Rng, kind: str) -> Series:
    """Draw a series; annotators miss one change in six, and misplace some by a few readings."""
    values, places = KINDS[kind](rng)
    annotations = {}
    for i in range(ANNOTATORS):
        seen = [p for p in places if rng.random() < 5 / 6]
        shift = rng.choice((-2, -1, 0, 0, 0, 1, 2), len(seen))
        marked = {
            int(np.clip(p + s, 1, values.shape[0] - 1)) for p, s in zip(seen, shift, strict=True)
        }
        annotations[str(i)] = sorted(marked)
    return Series(kind, rng.uniform(0.1, 100.0) * values, annotations)
