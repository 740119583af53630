"""Forms of steps and kinks, of unit size, for `benchmarks.detect.training.broad`."""

from __future__ import annotations

import numpy as np

from benchmarks.detect.grids import Grid
from benchmarks.detect.parts import draw_change, draw_place
from benchmarks.detect.training import varied

Rng = np.random.Generator
Change = tuple[float, float, np.ndarray]


def draw_step(rng: Rng, grid: Grid, kind: str) -> Change:
    """Draw a step or cliff: log10 of the place where half is done, 10–90 % width, values."""
    form = rng.choice(("as ever", "varied", "algebraic", "richards", "in steps", "relaxing"))
    if form == "as ever" or kind == "cliff":
        return draw_change(rng, grid, kind)
    if form == "varied":
        return varied.draw_step(rng, grid)
    width = float(rng.uniform(0.02, 0.35))
    place = draw_place(rng, grid, width)
    x = grid.x
    if form == "algebraic":
        power = rng.uniform(2.0, 6.0)
        # x / (1 + |x|^p)^(1/p) passes .8 at this x.
        reach = 0.8 / (1.0 - 0.8**power) ** (1.0 / power)
        z = (x - place) / width * 2.0 * reach
        return place, width, 0.5 + 0.5 * z / (1.0 + np.abs(z) ** power) ** (1.0 / power)
    if form == "richards":
        return place, width, _scaled(x, place, width, _richards(10.0 ** rng.uniform(-0.7, 0.7)))
    if form == "in steps":
        # A rise that is symmetric in steps, not in their logarithm.
        low, high = 10.0 ** (place - width / 2), 10.0 ** (place + width / 2)
        middle, scale = 0.5 * (low + high), (high - low) / (2.0 * np.log(9.0))
        shape = 1.0 / (1.0 + np.exp(-np.clip((grid.steps - middle) / scale, -60, 60)))
        return float(np.log10(middle)), width, shape
    # Nothing, then an exponential approach in log step: 10 % at once, half at `place`.
    scale = width / np.log(9.0)
    since = x - place + scale * np.log(2.0)
    return place, width, np.where(since >= 0, -np.expm1(-np.maximum(since, 0.0) / scale), 0.0)


def draw_kink(rng: Rng, grid: Grid, kind: str = "kink") -> Change:
    """Draw a change of slope, one per decade: for good, for a decade or two, or per step."""
    form = rng.choice(("as ever", "as ever", "saturating", "power"))
    if form == "as ever":
        return draw_change(rng, grid, "kink")
    place = draw_place(rng, grid, 0.5)
    bend = 2.0 * np.log(9.0) / rng.uniform(0.01, 0.15)
    since = np.logaddexp(0.0, bend * (grid.x - place)) / bend
    if form == "saturating":
        reach = rng.uniform(1.0, 3.0)
        return place, 0.0, reach * -np.expm1(-since / reach)
    power = rng.uniform(-0.8, 0.8)
    return place, 0.0, np.expm1(power * np.log(10.0) * since) / (power * np.log(10.0) + 1e-9)


def _richards(lean: float):
    half = np.log(2.0 ** (1.0 / lean) - 1.0)

    def curve(z: np.ndarray) -> np.ndarray:
        return (1.0 + np.exp(np.clip(half - z, -60, 60))) ** -lean

    return curve


def _scaled(x: np.ndarray, place: float, width: float, curve) -> np.ndarray:
    """Stretch a rise that passes one half at zero to the given 10–90 % width."""
    z = np.linspace(-40.0, 40.0, 8001)
    values = curve(z)
    extent = float(np.interp(0.9, values, z) - np.interp(0.1, values, z))
    return curve((x - place) / width * extent)
