"""What a curve may hold beside its trend: sharp changes, disturbances, learning-rate schedules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.detect.grids import Grid
from benchmarks.detect.smooth import logistic

Rng = np.random.Generator

WIDTHS = (0.02, 0.35)
"""10–90 % widths of steps, in decades."""

WIDEST_GAP = 0.35
"""Changes are not put between readings further apart than this, in decades."""


class DoesNotFitError(ValueError):
    """This grid cannot hold such a change."""


@dataclass(frozen=True)
class Truth:
    """One thing that happens on a curve.

    Attributes:
        kind: ``step``, ``cliff``, ``kink``, ``spike`` or ``restart``.
        at: Half of the change (start of a disturbance), in steps.
        width: 10–90 % of the change (extent of a disturbance), in decades.
        amplitude: Size, in the unit of the values; for a kink, change of slope per decade.
    """

    kind: str
    at: float
    width: float
    amplitude: float


def draw_place(rng: Rng, grid: Grid, width: float) -> float:
    """Draw log10(step) of a change with four readings before and after its 10–90 % extent."""
    x = grid.x[grid.there]
    low, high = max(x[4] + width / 2, x[0] + 0.3), min(x[-5] - width / 2, x[-1] - 0.15)
    if high <= low:
        raise DoesNotFitError("the readings leave no room for a before and an after")
    for _ in range(100):
        place = rng.uniform(low, high)
        if grid.dense and rng.random() < 0.5:
            place = np.log10(rng.uniform(10.0 ** (x[0] + 1.0), 10.0 ** (x[-1] - 0.15)))
        after = int(np.searchsorted(x, place))
        if x[after] - x[after - 1] <= WIDEST_GAP:
            return float(place)
    raise DoesNotFitError("no two readings are close enough")


def draw_change(rng: Rng, grid: Grid, kind: str) -> tuple[float, float, np.ndarray]:
    """Draw a change of unit size: log10 of its place, its width, its values of shape ``(n,)``."""
    x = grid.x
    if kind == "step":
        width = float(rng.uniform(*WIDTHS))
        place = draw_place(rng, grid, width)
        return place, width, logistic(x, place, width)
    if kind == "cliff":
        place = draw_place(rng, grid, 0.05)
        return place, *_cliff(rng, x, place)
    place = draw_place(rng, grid, 0.5)
    bend = 2 * np.log(9) / rng.uniform(0.01, 0.2)
    return place, 0.0, np.logaddexp(0.0, bend * (x - place)) / bend


def _cliff(rng: Rng, x: np.ndarray, place: float) -> tuple[float, np.ndarray]:
    """Half or more at once, the rest as a power law of the steps since then."""
    sudden = rng.uniform(0.5, 0.85)
    scale, power = rng.uniform(0.02, 0.15), rng.uniform(0.7, 2.0)
    since = np.maximum(0.0, 10.0 ** (x - place) - 1.0)
    after = 1.0 - (1.0 - sudden) * (1.0 + since / scale) ** -power
    # 90 % of the change is done where (1 - sudden) (1 + since / scale)^-power = .1.
    until = scale * (max(1.0, 10.0 * (1.0 - sudden)) ** (1.0 / power) - 1.0)
    return float(np.log10(1.0 + until)), np.where(x >= place, after, 0.0)


def draw_spikes(rng: Rng, grid: Grid, size: float) -> tuple[list[Truth], np.ndarray]:
    """Draw one to three excursions that come back: a box, or a jump that decays."""
    num, total, sign = grid.steps.size, np.zeros(grid.steps.size), rng.choice((-1.0, 1.0, 1.0))
    truths = []
    for _ in range(int(rng.choice((1, 1, 2, 3)))):
        longest = max(1, min(6, num // 12))
        long = int(rng.integers(1, longest + 1))
        if num > 60 and rng.random() < 0.5:
            long = max(1, int(num * rng.uniform(0.01, 0.10 if not grid.dense else 0.03)))
        start = int(rng.integers(2, num - long - 2))
        amplitude = sign * size * rng.uniform(0.5, 2.0)
        since = np.arange(num) - start
        shape = ((since >= 0) & (since < long)).astype(float)
        if rng.random() < 0.5:
            shape = np.where(since >= 0, np.exp(-np.maximum(since, 0) / max(0.3, long / 3)), 0.0)
        total = total + amplitude * shape
        end = grid.x[min(start + long, num - 1)]
        truths.append(
            Truth("spike", float(grid.steps[start]), float(end - grid.x[start]), amplitude)
        )
    return truths, total


RECOVERED = 0.1
"""Share of a restart's jump that is left when the curve counts as back on its trend."""


def draw_restart(
    rng: Rng, grid: Grid, size: float, *, cut: bool = False
) -> tuple[list[Truth], np.ndarray]:
    """Draw a re-warm: a jump that recovers within .1-.5 decades, or within 1-10 % of the steps.

    Args:
        rng: Source of randomness.
        grid: Where readings are taken.
        size: Typical size of the jump.
        cut: Whether the readings end before the curve is back; from them alone nobody can tell such
            a restart from a step.

    Raises:
        DoesNotFitError: No such restart was drawn.
    """
    for _ in range(200):
        truth, shape = _draw_restart(rng, grid, size)
        if (shape[-1] > RECOVERED) == cut:
            return [truth], truth.amplitude * shape
    raise DoesNotFitError("no such restart on this grid")


def _draw_restart(rng: Rng, grid: Grid, size: float) -> tuple[Truth, np.ndarray]:
    start = int(rng.integers(grid.steps.size // 5, grid.steps.size - 4))
    if grid.dense:
        start = int(np.searchsorted(grid.steps, grid.steps[-1] * rng.uniform(0.05, 0.9)))
    amplitude = rng.choice((-1.0, 1.0, 1.0)) * size * rng.uniform(0.7, 2.0)
    long = float(rng.uniform(0.1, 0.5))
    shape = np.exp(-3.0 * np.maximum(grid.x - grid.x[start], 0.0) / long)
    share = rng.uniform(0.01, 0.10) * grid.steps[-1]
    in_steps = float(np.log10(1.0 + share / grid.steps[start]))
    if in_steps <= 0.5 and rng.random() < 0.5:
        long = in_steps
        shape = np.exp(-3.0 * np.maximum(grid.steps - grid.steps[start], 0.0) / share)
    truth = Truth("restart", float(grid.steps[start]), long, amplitude)
    return truth, np.where(np.arange(shape.size) >= start, shape, 0.0)


def draw_schedule(rng: Rng, grid: Grid, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a learning rate relative to its peak, and what its decay adds to a curve (0 → -1)."""
    done = grid.steps / grid.steps[-1]
    if kind == "cosine":
        lr = 0.1 + 0.9 * (1 + np.cos(np.pi * done)) / 2
    elif kind == "wsd":
        start = rng.uniform(0.7, 0.9)
        left = np.clip((1 - done) / (1 - start), 0.0, 1.0)
        # Linear, or 1 - sqrt of the share of the decay that is done (Hägele et al. 2024).
        lr = left if rng.random() < 0.5 else 1.0 - np.sqrt(1.0 - left)
        lr = 0.02 + 0.98 * lr
    else:
        raise ValueError(f"a schedule is 'cosine' or 'wsd', got {kind!r}")
    warm = rng.uniform(0.001, 0.02)
    return lr * np.minimum(1.0, done / warm), lr - lr[0]


def warm_up(rng: Rng, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Draw a linear warm-up: the learning rate, and log10 of the training time it amounts to."""
    until = grid.steps[0] * 10.0 ** rng.uniform(0.5, 0.6 * grid.span)
    lr = np.minimum(1.0, grid.steps / until)
    time = np.where(lr < 1.0, grid.steps**2 / (2 * until), grid.steps - until / 2)
    return lr, np.log10(time)
