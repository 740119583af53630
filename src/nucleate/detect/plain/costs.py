"""What a segment costs: the squares that a constant or a straight line leaves over.

Shapes: N readings, D series.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = Literal["constant", "line"]

PARAMETERS: dict[Shape, int] = {"constant": 1, "line": 2}
"""Parameters of one segment of one series."""


class Costs:
    """Sums of squares around the best constant or line, of any segment in constant time."""

    def __init__(self, values_ND: Array, shape: Shape) -> None:
        self.shape = shape
        self.num = values_ND.shape[0]
        # Centred positions and values keep the differences of sums accurate.
        time_N = np.arange(self.num) - 0.5 * (self.num - 1)
        y_ND = values_ND - values_ND.mean(axis=0)
        self._y = _sums(y_ND)
        self._yy = _sums(np.sum(y_ND**2, axis=1))
        self._t = _sums(time_N)
        self._tt = _sums(time_N**2)
        self._ty = _sums(time_N[:, None] * y_ND)

    def of(self, starts: NDArray[np.intp], end: int) -> Array:
        """Return the cost of every segment ``values[start:end]``, shape ``(len(starts),)``."""
        count = (end - starts).astype(np.float64)
        y = self._y[end] - self._y[starts]
        rest: Array = self._yy[end] - self._yy[starts] - np.sum(y**2, axis=1) / count
        if self.shape == "line":
            t = self._t[end] - self._t[starts]
            spread = self._tt[end] - self._tt[starts] - t**2 / count
            joint = self._ty[end] - self._ty[starts] - t[:, None] * y / count[:, None]
            rest = rest - np.sum(joint**2, axis=1) / np.maximum(spread, 1e-12)
        return np.maximum(rest, 0.0)


def residuals(values_ND: Array, breaks: tuple[int, ...], shape: Shape) -> Array:
    """Return what the best constants or lines between breaks leave over, shape ``(N, D)``."""
    rest_ND = values_ND.copy()
    edges = (0, *breaks, values_ND.shape[0])
    for start, end in pairwise(edges):
        design = np.vander(np.arange(end - start) - 0.5 * (end - start - 1), PARAMETERS[shape])
        part_ND = values_ND[start:end]
        rest_ND[start:end] -= design @ np.linalg.lstsq(design, part_ND, rcond=None)[0]
    return rest_ND


def _sums(values: Array) -> Array:
    """Cumulative sums that begin with 0."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
