"""Spikes and restarts: the curve leaves its trend and comes back, which is no transition of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LONGEST_BOX = 24
"""Most readings of an excursion that ends as suddenly as it began; every length is tried."""

DECAYS = (0.4, 0.8, 1.5, 2.7, 4.5)
"""E-folding lengths, in readings, of those that fade."""

REWARMS = (0.03, 0.05, 0.08, 0.13, 0.2, 0.35)
"""E-folding lengths, in decades, of restarts: the loss jumps and is learned down again."""

RELEARNED = (0.002, 0.005, 0.012, 0.03)
"""E-folding lengths of restarts as shares of the whole axis: learned down in so many steps."""

SHARE = 6
"""An excursion covers at most one in so many readings."""

COVERED = 2.5
"""A fading excursion covers this many e-folding lengths."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """One shape.

    Attributes:
        first, last: Index of the first and of the last reading that is away from the trend.
        restart: Whether it fades along the axis, as a re-warmed run does.
        dropped: How many readings, from the first, are left out; the fitted shape is taken off the
            others.
    """

    first: int
    last: int
    restart: bool
    dropped: int

    @property
    def covers(self) -> NDArray[np.intp]:
        """Indices of the readings that are left out."""
        return np.arange(self.first, self.first + self.dropped)


def excursions(x: Array) -> tuple[Array, list[Excursion]]:
    """Return the shapes searched on the grid x, ``(d, n)``, and what each of them is."""
    num, longest = x.size, max(1, x.size // SHARE)
    index = np.arange(num)
    box_dn, covers = boxes(num, range(1, min(longest, LONGEST_BOX) + 1))
    shapes = list(box_dn)
    kinds = [Excursion(int(each[0]), int(each[-1]), False, each.size) for each in covers]
    for start in range(1, num - 2):
        since = np.maximum(index - start, 0)
        for decay in DECAYS:
            last = start + int(np.ceil(COVERED * decay)) - 1
            if last - start < longest and last < num - 1:
                shapes.append(np.where(index >= start, np.exp(-since / decay), 0.0))
                kinds.append(Excursion(start, last, False, last - start + 1))
        for shape in _restarts(x, start):
            last = start + int(np.count_nonzero(shape > np.exp(-COVERED))) - 1
            # A restart is only judged where its recovery is read.
            if start + 2 <= last < num - 2:
                shapes.append(shape)
                kinds.append(Excursion(start, last, True, min(last - start + 1, longest)))
    return np.array(shapes), kinds


def _restarts(x: Array, start: int) -> list[Array]:
    """Return jumps at a reading that fade along log10(step), or along the steps themselves."""
    begun = np.arange(x.size) >= start
    apart = np.maximum(x - x[start], 0.0)
    steps = np.maximum(10.0 ** (x - x[-1]) - 10.0 ** (x[start] - x[-1]), 0.0)
    fading = [apart / decay for decay in REWARMS] + [steps / share for share in RELEARNED]
    return [np.where(begun, np.exp(-np.minimum(each, 50.0)), 0.0) for each in fading]


def boxes(num: int, lengths: Sequence[int]) -> tuple[Array, list[NDArray[np.intp]]]:
    """Return every box of the given lengths on `num` readings, ``(d, num)``, and what it covers."""
    covers = [
        np.arange(start, start + length) for length in lengths for start in range(num - length + 1)
    ]
    shapes = np.zeros((len(covers), num))
    for row, covered in zip(shapes, covers, strict=True):
        row[covered] = 1.0
    return shapes, covers


def chance(gain: float, num_shapes: int, freedom: int) -> float:
    """Return a bound on the chance that noise alone gains so much (Bonferroni over the shapes).

    The share R² of the residual that one shape explains is Beta(1/2, (m − 1)/2) under Gaussian
    noise with m degrees of freedom, so P(gain ≥ g) ≤ exp(−g (m − 1)/m) for g = −(m/2) ln(1 − R²).
    """
    return float(min(1.0, num_shapes * np.exp(-gain * (freedom - 1) / freedom)))
