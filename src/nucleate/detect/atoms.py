"""Shapes that a curve may contain on top of its smooth trend.

Events (steps, kinks) are what the detector looks for; nuisances (broad sigmoids, ramps at the end
of a learning-rate schedule) are smooth changes that the null may use; bumps are spikes.
x is log10(step); widths are 10–90 % widths in decades.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOGISTIC_WIDTH = 2.0 * np.log(9.0)
"""10–90 % width of a logistic of unit scale."""

NARROW = np.array([0.04, 0.14, 0.26, 0.40])
"""Widths of the searched steps relative to the largest one, see `step_widths`."""

BROAD = np.array([0.55, 0.75, 1.0, 1.4, 2.0])
"""Widths of the sigmoids that count as smooth."""

BUMP_LENGTHS = (1, 2, 3, 4, 6, 9, 13)
"""Lengths, in readings, of the boxes that count as spikes."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Atoms evaluated on one grid.

    Attributes:
        centre: Location of each atom in log10(step), shape ``(d,)``.
        width: 10–90 % width in decades; 0 for kinks.
        shape: Values, shape ``(d, n)``.
    """

    centre: Array
    width: Array
    shape: Array


def sigmoid(x: Array, centre: Array, width: Array) -> Array:
    """Return logistic rises from 0 to 1, shape ``(d, n)``."""
    z = LOGISTIC_WIDTH * (x[None, :] - centre[:, None]) / width[:, None]
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), dtype=np.float64)


def hinge(x: Array, centre: Array) -> Array:
    """Return max(0, x − centre), shape ``(d, n)``."""
    return np.asarray(np.maximum(0.0, x[None, :] - centre[:, None]), dtype=np.float64)


def step_widths(max_width: float) -> Array:
    """Return the widths searched, the last of them `max_width`."""
    return np.asarray(NARROW * (max_width / NARROW[-1]))


def locations(x: Array, margin: int) -> Array:
    """Return candidate locations: the middles of gaps, more of them where gaps are wide.

    At least `margin` readings lie on either side.
    """
    inner = x[margin - 1 : x.size - margin + 1]
    parts = []
    for left, right in pairwise(inner):
        count = max(1, round((right - left) / 0.08))
        parts.append(left + (right - left) * (np.arange(count) + 0.5) / count)
    return np.concatenate(parts) if parts else np.empty(0)


def steps(x: Array, max_width: float, margin: int = 3) -> Dictionary:
    """Return the narrow sigmoids searched for."""
    where = locations(x, margin)
    widths = step_widths(max_width)
    centre, width = np.repeat(where, widths.size), np.tile(widths, where.size)
    # A step is only judged where both of its sides are seen.
    inside = (centre - width / 2 > x[0]) & (centre + width / 2 < x[-1])
    centre, width = centre[inside], width[inside]
    return Dictionary(centre, width, sigmoid(x, centre, width))


def kinks(x: Array, margin: int = 4, clearance: float = 0.3) -> Dictionary:
    """Return the changes of slope searched for, at least `clearance` decades from the ends."""
    where = locations(x, margin)
    where = where[(where > x[0] + clearance) & (where < x[-1] - clearance)]
    return Dictionary(where, np.zeros(where.size), hinge(x, where))


def nuisances(x: Array) -> Dictionary:
    """Return smooth changes that the null may contain: broad sigmoids and late ramps."""
    span = x[-1] - x[0]
    # Half a thousandth of slack: the count must not depend on rounding in the last digit.
    where = np.linspace(x[0] + 0.1, x[-1] - 0.1, max(4, int(span / 0.2 + 5e-4)))
    centre, width = np.repeat(where, BROAD.size), np.tile(BROAD, where.size)
    fraction = 10.0 ** (x - x[-1])
    onset = np.array([0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    # Learning-rate decay (WSD, linear, cosine) lowers the loss over the last part of training.
    ramps = np.maximum(0.0, fraction[None, :] - onset[:, None])
    return Dictionary(
        np.concatenate([centre, x[-1] + np.log10(onset)]),
        np.concatenate([width, np.full(onset.size, np.inf)]),
        np.concatenate([sigmoid(x, centre, width), ramps]),
    )


def bumps(x: Array, lengths: Sequence[int] = BUMP_LENGTHS) -> tuple[Array, list[NDArray[np.intp]]]:
    """Return spikes (boxes, and jumps that decay) and the readings that each one covers."""
    n = x.size
    shapes, covered = [], []
    for length in lengths:
        if length > max(1, n // 6):
            break
        for start in range(n - length + 1):
            shape = np.zeros(n)
            shape[start : start + length] = 1.0
            shapes.append(shape)
            covered.append(np.arange(start, start + length))
            if length in (2, 4) and start + 3 * length <= n:
                decay = np.zeros(n)
                decay[start:] = np.exp(-np.arange(n - start) / length)
                shapes.append(decay)
                covered.append(np.arange(start, start + 3 * length))
    return np.array(shapes), covered
