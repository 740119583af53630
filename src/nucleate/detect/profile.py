"""Location, interval and width of one change, by profile likelihood.

The interval is united with the readings that bracket the location: an error smaller than the
distance between readings would be fiction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.likelihood import Grid, Whitening

Array = NDArray[np.float64]

DROP = 1.92
"""Fall of the log-likelihood that bounds a 95 % interval of one parameter (χ²₁ / 2)."""

REACH = 0.6
"""Half-width, in decades, of the stretch that is searched around the first location."""

NUM_LOCATIONS = 121


@dataclass(frozen=True, slots=True)
class Location:
    """A change on the standardised curve.

    Attributes:
        at, lo, hi: log10(step) of the location and its 95 % interval.
        width: 10–90 % width in decades (0 for a kink).
        amplitude: Standardised change (for a kink: change of slope per decade).
        noise: Fitted standard deviation of one reading, standardised.
        shape: The fitted atom times its amplitude, shape ``(n,)``.
        hyper: Index of the null setting that fits best together with the change.
    """

    at: float
    lo: float
    hi: float
    width: float
    amplitude: float
    noise: float
    shape: Array
    hyper: int


def locate(grid: Grid, y: Array, atom: int) -> Location:
    """Refine one event of the dictionary on the curve y, shape ``(n,)``."""
    x, is_kink = grid.x, grid.events.width[atom] == 0.0
    first = float(grid.events.centre[atom])
    fine = np.linspace(max(first - REACH, x[0]), min(first + REACH, x[-1]), NUM_LOCATIONS)
    fine = np.union1d(fine, [first])
    widths = np.zeros(1) if is_kink else np.linspace(0.02, grid.max_width, 8)
    centre, width = np.repeat(fine, widths.size), np.tile(widths, fine.size)
    shapes = atoms.hinge(x, centre) if is_kink else atoms.sigmoid(x, centre, width)
    level, hyper = _profile(grid, y, atom, shapes)
    best = int(level.argmax())
    by_location = level.reshape(fine.size, widths.size).max(axis=1)
    inside = fine[by_location >= level[best] - DROP]
    at = float(centre[best])
    below, above = x[x <= at], x[x >= at]
    lo = min(float(inside[0]), float(below[-1]) if below.size else float(x[0]))
    hi = max(float(inside[-1]), float(above[0]) if above.size else float(x[-1]))
    chosen = int(hyper[best])
    amplitude, noise = _amplitude(grid, y, shapes[best], chosen)
    return Location(
        at, lo, hi, float(width[best]), amplitude, noise, amplitude * shapes[best], chosen
    )


def _profile(grid: Grid, y: Array, atom: int, shapes_dn: Array) -> tuple[Array, NDArray[np.intp]]:
    """Return each shape's log-likelihood and setting, over the settings that matter."""
    shape = grid.events.shape[atom : atom + 1]
    score = np.empty(len(grid.hypers))
    for index, white in enumerate(grid.whitenings):
        score[index] = _levels(white, shape, y)[0]
    level = np.full(shapes_dn.shape[0], -np.inf)
    hyper = np.zeros(shapes_dn.shape[0], dtype=np.intp)
    for index in np.flatnonzero(score >= score.max() - 2 * DROP)[:24]:
        white = grid.whitenings[index]
        new = _levels(white, shapes_dn, y)
        hyper = np.where(new > level, index, hyper)
        level = np.maximum(new, level)
    return level, hyper


def _levels(white: Whitening, shapes_dn: Array, y: Array) -> Array:
    """Return the profiled log-likelihood of the curve with each shape added, ``(d,)``."""
    rss = max(float(np.sum((white.project_mn @ y) ** 2)), 1e-300)
    gain = white.scores(shapes_dn, y[:, None])[:, 0] ** 2
    return white.level(np.maximum(rss - gain, 1e-12 * rss))


def _amplitude(grid: Grid, y: Array, shape: Array, hyper: int) -> tuple[float, float]:
    """Return the generalised-least-squares amplitude of a shape and the noise deviation."""
    white = grid.whitenings[hyper]
    a, r = white.project_mn @ shape, white.project_mn @ y
    amplitude = float(a @ r / max(float(a @ a), 1e-300))
    rest = r - amplitude * a
    return amplitude, float(np.sqrt(rest @ rest / max(rest.size - 3, 1)))
