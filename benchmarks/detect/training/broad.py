"""Curves of still more kinds, put together from parts: any trend, noise, change and disturbance.

What is sharp should not depend on how a generator draws. Trends are smooth functions of smooth
functions; none rises, or bends, within less than about .6 decades. Noise is a product of
size, unevenness, tails, correlation and rounding, each drawn by itself. Changes have many forms.
No trend and no form of change is that of `benchmarks.detect.foreign` (monotone splines,
Gompertz, arctangents, polynomials; ramps with corners, error functions, overshoots; corners), and
neither are its noises (Student's t, moving averages; noise that follows the level is in both).
"""

from __future__ import annotations

import numpy as np

from benchmarks.detect.curves import CHANGES, Curve
from benchmarks.detect.grids import Grid
from benchmarks.detect.noise import ar1, signal_to_noise
from benchmarks.detect.parts import (
    DoesNotFitError,
    Truth,
    draw_restart,
    draw_schedule,
    draw_spikes,
    warm_up,
)
from benchmarks.detect.training.broad_changes import draw_kink, draw_step
from benchmarks.detect.training.broad_trends import draw_trend, unit
from benchmarks.detect.training.varied import draw_changes

Rng = np.random.Generator


def draw(
    rng: Rng,
    what: str,
    grid: Grid,
    least_snr: float,
    beside: str | None = None,
    *,
    long_spikes: bool = False,
    tries: int = 100,
) -> Curve:
    """Draw a curve of one of `benchmarks.detect.training.draws.SORTS`.

    Args:
        rng: Source of randomness.
        what: Sort of curve.
        grid: Where readings are taken.
        least_snr: Signal-to-noise of the least clear change.
        beside: Nuisance on a curve with a change; any, or none, by default.
        long_spikes: Whether half of the spikes are `draw_excursions`.
        tries: Draws after which this grid is given up.

    Raises:
        DoesNotFitError: This grid cannot hold such a change.
    """
    for _ in range(tries):
        try:
            return _draw(rng, what, grid, least_snr, beside, long_spikes)
        except DoesNotFitError:
            continue
    raise DoesNotFitError(f"no broad {what} fits this grid")


def _draw(
    rng: Rng, what: str, grid: Grid, least_snr: float, beside: str | None, long_spikes: bool
) -> Curve:
    if what not in CHANGES:
        beside = what
    elif beside is None:
        beside = str(rng.choice(("", "", "", "warm-up", "cosine", "wsd", "spike")))
    u, lr, extra = grid.x - grid.x[0], None, np.zeros(grid.x.size)
    if beside == "warm-up":
        lr, time = warm_up(rng, grid)
        # Training time runs twice as fast there: what is smooth in it must be wider.
        u = (time - time[0]) / 1.6
    if beside in ("wsd", "cosine"):
        lr, fall = draw_schedule(rng, grid, beside)
        power = rng.choice((0.5, 1.0, 1.0, 2.0))
        size = rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-1.7, -0.6)
        extra = -size * np.abs(fall) ** power
    trend = draw_trend(rng, u)
    truths, shapes = draw_changes(rng, what, grid, _one, (-1.4, 0.4))
    level = trend + sum(shapes) + extra
    if rng.random() < 0.2:
        return _counted(rng, what, grid, level, truths, shapes, lr, least_snr, beside, long_spikes)
    deviation, noise = draw_noise(rng, grid, level)
    _insist(grid, shapes, deviation, least_snr)
    if beside == "spike":
        size = deviation.max() * 10.0 ** rng.uniform(0.7, 1.9)
        level = level + _spikes(rng, grid, size, long_spikes)
    if beside == "restart":
        level = level + draw_restart(rng, grid, deviation.max() * 10.0 ** rng.uniform(0.8, 1.9))[1]
    values = np.where(grid.there, level + deviation * noise, np.nan)
    if rng.random() < 0.2:
        digit = np.nanstd(values) * 10.0 ** rng.uniform(-2.5, -0.8)
        values = np.round(values / digit) * digit
    if np.nanstd(values) == 0.0:
        raise DoesNotFitError("rounded away")
    told = deviation * 10.0 ** rng.normal(0.0, 0.1) if rng.random() < 0.15 else None
    return Curve(what, grid.steps, values, stderr=told, lr=lr, changes=tuple(truths))


def _one(rng: Rng, grid: Grid, kind: str) -> tuple[float, float, np.ndarray]:
    return (draw_kink if kind == "kink" else draw_step)(rng, grid, kind)


def _insist(grid: Grid, shapes: list[np.ndarray], deviation: np.ndarray, least: float) -> None:
    if any(signal_to_noise(grid, shape, deviation) < least for shape in shapes):
        raise DoesNotFitError("not clear enough")


def _counted(
    rng: Rng,
    what: str,
    grid: Grid,
    level: np.ndarray,
    truths: list[Truth],
    shapes: list[np.ndarray],
    lr: np.ndarray | None,
    least_snr: float,
    beside: str,
    long_spikes: bool,
) -> Curve:
    """Shares of 30 to 10,000 items that are right; over-dispersed items now and then."""
    items = int(np.exp(rng.uniform(np.log(30), np.log(10_000))))
    low = float(rng.choice((0.0, 0.02, 0.1, 0.25, 0.5))) * rng.uniform(0.9, 1.1)
    height = rng.uniform(0.05, 0.98 - low)
    scale = height / max(float(np.ptp(level)), 0.3)
    rate = np.clip(low + scale * (level - level.min()), 1e-4, 1 - 1e-4)
    deviation = np.sqrt(rate * (1 - rate) / items)
    _insist(grid, [scale * shape for shape in shapes], deviation, least_snr)
    if beside == "spike":
        size = deviation.max() * 10.0 ** rng.uniform(0.7, 1.5)
        rate = rate + _spikes(rng, grid, size, long_spikes)
    if beside == "restart":
        rate = rate + draw_restart(rng, grid, deviation.max() * 10.0 ** rng.uniform(0.8, 1.5))[1]
    if rng.random() < 0.3:
        # The same items are asked every time: what moves them moves many at once.
        rate = rate + rng.uniform(0.3, 1.0) * deviation * ar1(rng, rate.size, rng.uniform(0, 0.6))
    values = rng.binomial(items, np.clip(rate, 0.0, 1.0)) / items
    values = np.where(grid.there, values, np.nan)
    if np.nanstd(values) == 0.0:
        raise DoesNotFitError("constant")
    half = (np.nan_to_num(values) * items + 0.5) / (items + 1)
    told = np.sqrt(half * (1 - half) / items) if rng.random() < 0.6 else None
    return Curve(what, grid.steps, values, stderr=told, lr=lr, changes=tuple(truths))


def _spikes(rng: Rng, grid: Grid, size: float, long: bool) -> np.ndarray:
    if long and rng.random() < 0.5:
        return draw_excursions(rng, grid.x.size, size)
    return draw_spikes(rng, grid, size)[1]


def draw_excursions(rng: Rng, num: int, size: float) -> np.ndarray:
    """Draw one or two excursions of one reading to a tenth of them, and of three at least.

    A box, a box whose readings differ, a triangle, or a rise and a fall of unlike speed.
    """
    total = np.zeros(num)
    for _ in range(int(rng.choice((1, 1, 2)))):
        long = int(rng.integers(1, max(3, num // 10) + 1))
        start = int(rng.integers(1, num - long - 1))
        inside = (np.arange(long) + 0.5) / long
        form = int(rng.integers(4))
        if form == 0:
            shape = np.ones(long)
        elif form == 1:
            shape = rng.uniform(0.4, 1.0, long)
        elif form == 2:
            shape = 1.0 - np.abs(2.0 * inside - 1.0) if long > 1 else np.ones(1)
        else:
            peak = rng.uniform(0.1, 0.9)
            shape = np.minimum(inside / peak, (1.0 - inside) / (1.0 - peak))
        shape = shape / shape.max()
        sign = rng.choice((-1.0, 1.0))
        total[start : start + long] += sign * size * rng.uniform(0.5, 2.0) * shape
    return total


def draw_noise(rng: Rng, grid: Grid, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviation of each reading and noise of unit variance, each ``(n,)``."""
    num, x = level.size, (grid.x - grid.x[0]) / grid.span
    size = 10.0 ** (rng.uniform(-2.0, -0.7) if grid.dense else rng.uniform(-2.8, -0.8))
    uneven = rng.choice(("even", "even", "drift", "level", "slope", "steps", "patch"))
    factor = np.ones(num)
    if uneven == "drift":
        factor = 10.0 ** (rng.uniform(-0.7, 0.7) * (x - 0.5))
    elif uneven == "level":
        part = unit(level) if rng.random() < 0.5 else 1.0 - unit(level)
        factor = rng.uniform(0.1, 0.6) + np.abs(part)
    elif uneven == "slope":
        slope = np.abs(np.gradient(level, grid.x))
        factor = rng.uniform(0.3, 0.8) + slope / max(float(slope.max()), 1e-9)
    elif uneven == "steps":
        share = grid.steps / grid.steps[-1]
        factor = (share + 0.01) ** rng.uniform(-0.4, 0.3)
    elif uneven == "patch":
        centre, width = rng.uniform(0.0, 1.0), rng.uniform(0.1, 0.4)
        factor = 1.0 + rng.uniform(0.5, 2.5) * np.exp(-0.5 * ((x - centre) / width) ** 2)
    return size * factor / float(np.median(factor)), _correlated(rng, num)


def _correlated(rng: Rng, num: int) -> np.ndarray:
    tails = rng.choice(("normal", "normal", "laplace", "logistic", "outliers", "flat", "skew"))
    rho = rng.choice((0.0, rng.uniform(0.0, 0.6), rng.uniform(-0.3, 0.6)))
    noise = ar1(rng, num, float(rho))
    if tails == "laplace":
        noise = np.sign(noise) * np.abs(noise) ** 1.4 / 1.25
    elif tails == "logistic":
        noise = np.sinh(0.5 * noise) / 0.55
    elif tails == "outliers":
        noise = noise * np.where(rng.random(num) < rng.uniform(0.01, 0.1), rng.uniform(2, 5), 1.0)
    elif tails == "flat":
        noise = np.tanh(0.9 * noise) / 0.61
    elif tails == "skew":
        lean = rng.choice((-1.0, 1.0)) * rng.uniform(0.2, 0.5)
        noise = np.expm1(lean * noise - 0.5 * lean**2) / abs(lean)
    if rng.random() < 0.15:
        share = rng.uniform(0.1, 0.5)
        slow = ar1(rng, num, rng.uniform(0.6, 0.9))
        noise = np.sqrt(1.0 - share) * noise + np.sqrt(share) * slow
    return noise
