"""Curves of more kinds than the benchmark draws: what is sharp should not depend on the generator.

Trends are mixtures and warps of the benchmark's families and draws of smooth processes; noise has
outliers, long memory, other tails, or follows the level or the slope of the trend; steps lean to
one side or come in two stages. No trend and no form of change is that of
`benchmarks.detect.foreign`, which the network never saw; noise that follows the level is in both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.detect.curves import APART, CHANGES, Curve
from benchmarks.detect.grids import Grid
from benchmarks.detect.noise import ar1, signal_to_noise
from benchmarks.detect.parts import DoesNotFitError, Truth, draw_change, draw_place, draw_spikes
from benchmarks.detect.smooth import draw_smooth

Rng = np.random.Generator

DrawOne = Callable[[Rng, Grid, str], tuple[float, float, np.ndarray]]


def draw(rng: Rng, what: str, grid: Grid, least_snr: float, tries: int = 100) -> Curve:
    """Draw a curve ``smooth``, with a ``spike``, or with a ``step``, ``kink`` or ``two steps``.

    Raises:
        DoesNotFitError: This grid cannot hold such a change.
    """
    for _ in range(tries):
        mean = _unit(_trend(rng, grid.x - grid.x[0]))
        try:
            truths, shapes = draw_changes(rng, what, grid, _one, (-1.3, 0.2))
        except DoesNotFitError:
            continue
        level = mean + sum(shapes)
        deviation, unit = _noise(rng, grid, level)
        ratios = [signal_to_noise(grid, shape, deviation) for shape in shapes]
        if any(ratio < least_snr for ratio in ratios):
            continue
        values = level + deviation * unit
        if what == "spike":
            values = values + draw_spikes(rng, grid, deviation.max() * rng.uniform(6.0, 60.0))[1]
        values = np.where(grid.there, values, np.nan)
        if rng.random() < 0.2:
            digit = np.nanstd(values) * 10.0 ** rng.uniform(-2.5, -1.0)
            values = np.round(values / digit) * digit
        if np.nanstd(values) == 0.0:
            continue
        return Curve(what, grid.steps, values, changes=tuple(truths))
    raise DoesNotFitError(f"no varied {what} fits this grid")


def _unit(values: np.ndarray) -> np.ndarray:
    extent = float(np.ptp(values))
    return (values - values[0]) / extent if extent > 1e-9 else 0.0 * values


def _trend(rng: Rng, u: np.ndarray) -> np.ndarray:
    kind = rng.choice(("mixture", "warped", "process", "integral", "bumps", "flat"))
    if kind == "mixture":
        return sum(rng.normal() * draw_smooth(rng, u)[1] for _ in range(int(rng.integers(2, 4))))
    if kind == "warped":
        return np.tanh(rng.uniform(0.3, 1.2) * _process(rng, u, rng.uniform(0.8, 2.0)))
    if kind == "process":
        return _process(rng, u, 10.0 ** rng.uniform(-0.2, 0.4))
    if kind == "integral":
        slope = np.exp(rng.uniform(0.3, 1.0) * _process(rng, u, rng.uniform(0.6, 1.5)))
        return np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(u))])
    if kind == "bumps":
        centres = rng.uniform(-0.5, u[-1] + 0.5, int(rng.integers(1, 4)))
        return sum(
            rng.normal() / np.cosh((u - centre) / rng.uniform(0.4, 1.2)) for centre in centres
        )
    return np.zeros_like(u)


def _process(rng: Rng, u: np.ndarray, length: float) -> np.ndarray:
    """A rational-quadratic process, whose scales vary around `length` decades."""
    knots = np.linspace(u[0], u[-1], 80)
    square = (knots[:, None] - knots) ** 2
    cov = (1.0 + square / (8.0 * length**2)) ** -4.0 + 1e-8 * np.eye(80)
    fine = np.linalg.cholesky(cov) @ rng.standard_normal(80)
    return np.asarray(np.interp(u, knots, fine))


def _noise(rng: Rng, grid: Grid, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of each reading, and noise in units of it."""
    num = level.size
    size = np.full(
        num, 10.0 ** (rng.uniform(-2.0, -0.7) if grid.dense else rng.uniform(-2.6, -0.9))
    )
    kind = rng.choice(("outliers", "memory", "laplace", "level", "slope", "autoregressive"))
    unit = rng.standard_normal(num)
    if kind == "outliers":
        unit *= np.where(rng.random(num) < rng.uniform(0.02, 0.1), rng.uniform(2.0, 5.0), 1.0)
    elif kind == "memory":
        share = rng.uniform(0.0, 0.5)
        unit = np.sqrt(1.0 - share) * unit + np.sqrt(share) * ar1(rng, num, rng.uniform(0.6, 0.9))
    elif kind == "laplace":
        unit = rng.laplace(0.0, np.sqrt(0.5), num)
    elif kind == "level":
        part = _unit(level) if rng.random() < 0.5 else 1.0 - _unit(level)
        size = size * (0.3 + np.abs(part))
    elif kind == "slope":
        slope = np.abs(np.gradient(level, grid.x))
        size = size * (0.5 + slope / max(float(slope.max()), 1e-9))
    else:
        unit = ar1(rng, num, rng.uniform(-0.3, 0.6))
    return size, unit


def draw_changes(
    rng: Rng, what: str, grid: Grid, one: DrawOne, sizes: tuple[float, float]
) -> tuple[list[Truth], list[np.ndarray]]:
    """Draw the changes of a curve of sort `what`, none for one that has none, and their shapes.

    Args:
        rng: Source of randomness.
        what: Sort of curve; two steps are changes of kind ``step``.
        grid: Where readings are taken.
        one: Draws a change of a kind and of unit size: place, width, values.
        sizes: log10 of the least and the largest amplitude.

    Raises:
        DoesNotFitError: Two changes came to lie in one place.
    """
    truths: list[Truth] = []
    shapes: list[np.ndarray] = []
    for _ in range({"two steps": 2}.get(what, int(what in CHANGES))):
        kind = {"two steps": "step"}.get(what, what)
        place, width, shape = one(rng, grid, kind)
        if any(abs(np.log10(other.at) - place) < APART for other in truths):
            raise DoesNotFitError("two changes in one place")
        amplitude = float(rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(*sizes))
        truths.append(Truth(kind, 10.0**place, width, amplitude))
        shapes.append(amplitude * shape)
    return truths, shapes


def _one(rng: Rng, grid: Grid, kind: str) -> tuple[float, float, np.ndarray]:
    return draw_change(rng, grid, kind) if kind == "kink" else draw_step(rng, grid)


def draw_step(rng: Rng, grid: Grid) -> tuple[float, float, np.ndarray]:
    """A step that leans to one side, a smooth polynomial, or one in two stages."""
    width = float(rng.uniform(0.02, 0.35))
    place = draw_place(rng, grid, width)
    z = (grid.x - place) / width
    kind = rng.choice(("leaning", "polynomial", "stages"))
    if kind == "leaning":
        lean = 10.0 ** rng.uniform(-0.6, 0.6)
        half = np.log(2.0 ** (1.0 / lean) - 1.0)
        return place, width, (1.0 + np.exp(np.clip(half - 4.0 * z, -60, 60))) ** -lean
    if kind == "polynomial":
        t = np.clip(0.5 + 0.65 * z, 0.0, 1.0)
        return place, width, t * t * (3.0 - 2.0 * t)
    share, apart = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.6)
    first = 1.0 / (1.0 + np.exp(-np.clip(9.0 * (z + apart * (1 - share)), -60, 60)))
    second = 1.0 / (1.0 + np.exp(-np.clip(9.0 * (z - apart * share), -60, 60)))
    return place, width, share * first + (1.0 - share) * second
