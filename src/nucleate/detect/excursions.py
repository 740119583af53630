"""Spikes and restarts: the curve leaves its trend and comes back, which is no transition of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BOXES = (1, 2, 3, 4, 6, 9, 13)
"""Lengths, in readings, of the excursions that end as suddenly as they began."""

DECAYS = (0.7, 1.5, 3.0)
"""E-folding lengths, in readings, of those that fade."""

REWARMS = (0.04, 0.08, 0.17)
"""E-folding lengths, in decades, of restarts: the loss jumps and is learned down again."""

SHARE = 6
"""An excursion covers at most one in so many readings."""

COVERED = 2.5
"""A fading excursion covers this many e-folding lengths."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """One shape.

    Attributes:
        first, last: Index of the first and of the last reading that it covers.
        restart: Whether it fades along the axis, as a re-warmed run does.
    """

    first: int
    last: int
    restart: bool

    @property
    def covers(self) -> NDArray[np.intp]:
        """Indices of the readings it covers."""
        return np.arange(self.first, self.last + 1)


def excursions(x: Array) -> tuple[Array, list[Excursion]]:
    """Return the shapes searched on the grid x, ``(d, n)``, and what each of them is."""
    num, longest = x.size, max(1, x.size // SHARE)
    index = np.arange(num)
    box_dn, covers = boxes(num, [length for length in BOXES if length <= longest])
    shapes = list(box_dn)
    kinds = [Excursion(int(each[0]), int(each[-1]), restart=False) for each in covers]
    for start in range(1, num - 2):
        since = np.maximum(index - start, 0)
        for decay in DECAYS:
            last = start + int(np.ceil(COVERED * decay)) - 1
            if last - start < longest and last < num - 1:
                shapes.append(np.where(index >= start, np.exp(-since / decay), 0.0))
                kinds.append(Excursion(start, last, restart=False))
        apart = np.maximum(x - x[start], 0.0)
        for decay in REWARMS:
            last = int(np.searchsorted(x, x[start] + COVERED * decay, side="right")) - 1
            # A restart is only judged where its recovery is read.
            if start + 2 <= last < num - 1 and last - start < 2 * longest:
                shapes.append(np.where(index >= start, np.exp(-apart / decay), 0.0))
                kinds.append(Excursion(start, last, restart=True))
    return np.array(shapes), kinds


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
