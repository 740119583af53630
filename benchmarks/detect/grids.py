"""Where readings are taken: log-spaced checkpoints of many habits, and dense linear logs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("regular", "jittered", "pythia", "all pythia", "gaps", "missing", "dense")

PYTHIA = np.r_[2.0 ** np.arange(10), 1000.0, np.arange(3000.0, 144_000.0, 10_000.0)]
ALL_PYTHIA = np.r_[2.0 ** np.arange(10), np.arange(1000.0, 144_000.0, 1000.0)]


@dataclass(frozen=True)
class Grid:
    """Positions of the readings of a run.

    Attributes:
        kind: One of `KINDS`.
        steps: Where readings were due, increasing, positive.
        there: Which of them exist; the others are NaN.
    """

    kind: str
    steps: np.ndarray
    there: np.ndarray

    @property
    def x(self) -> np.ndarray:
        """log10(steps)."""
        return np.log10(self.steps)

    @property
    def span(self) -> float:
        """Decades from the first to the last reading."""
        return float(np.log10(self.steps[-1] / self.steps[0]))

    @property
    def dense(self) -> bool:
        return self.kind == "dense"

    @property
    def size(self) -> str:
        """Label of the number of readings, for tables."""
        num = int(self.there.sum())
        bounds = ((25, "15-24"), (40, "25-39"), (70, "40-69"), (161, "70-160"))
        return next((label for bound, label in bounds if num < bound), "dense")


def draw_grid(rng: np.random.Generator, kind: str | None = None) -> Grid:
    """Draw a grid: of the given kind, or of any."""
    kind = kind or str(rng.choice(KINDS, p=(0.2, 0.2, 0.06, 0.06, 0.14, 0.14, 0.2)))
    if kind == "pythia":
        return _whole(kind, PYTHIA)
    if kind == "all pythia":
        return _whole(kind, ALL_PYTHIA)
    if kind == "dense":
        num = int(np.exp(rng.uniform(np.log(2000), np.log(20_000))))
        every = rng.choice((1, 1, 5, 10))
        return _whole(kind, np.arange(1.0, num + 1) * every)
    num = int(np.exp(rng.uniform(np.log(15), np.log(151))))
    low, span = rng.uniform(0.0, 6.0), rng.uniform(2.5, 5.0)
    x = np.linspace(low, low + span, num)
    if kind == "jittered":
        x = np.sort(x + rng.uniform(-0.3, 0.3, num) * (x[1] - x[0]))
    if kind == "gaps":
        x = _with_gaps(rng, x)
    there = np.ones(x.size, dtype=bool)
    if kind == "missing":
        there[1:-1] = rng.random(x.size - 2) > rng.uniform(0.05, 0.2)
    return Grid(kind, 10.0**x, there)


def draw_grids(rng: np.random.Generator, num: int) -> list[Grid]:
    """Draw the grids that the curves of one benchmark share."""
    return [draw_grid(rng) for _ in range(num)]


def _whole(kind: str, steps: np.ndarray) -> Grid:
    return Grid(kind, steps, np.ones(steps.size, dtype=bool))


def _with_gaps(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Leave out one or two stretches of .15 to .6 decades, while 12 readings remain."""
    for _ in range(int(rng.integers(1, 3))):
        start = rng.uniform(x[0] + 0.3, x[-1] - 0.9)
        keep = (x < start) | (x > start + rng.uniform(0.15, 0.6))
        if keep.sum() >= 12:
            x = x[keep]
    return x
