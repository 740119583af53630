"""Averages of a stream over equal stretches of log position: constant memory for any density."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class LogBins:
    """The last bins that hold readings, oldest first; the last one may still be filling.

    A bin holds the readings of one stretch of `width` decades; where readings are sparser than
    that, a bin holds one reading.

    Attributes:
        width: Decades.
        rows: One row per bin: index of the stretch, count, mean log10 position, mean value, sum
            of squared standard errors (0 where unknown), position of the first reading.
    """

    def __init__(self, width: float, capacity: int) -> None:
        self.width, self.capacity = width, capacity
        self.rows: list[list[float]] = []

    def add(self, position: float, value: float, error: float) -> bool:
        """Take in one reading; return whether it opened a new bin."""
        x = math.log10(position)
        index = float(math.floor(x / self.width))
        square = error**2 if math.isfinite(error) else 0.0
        if not self.rows or index > self.rows[-1][0]:
            self.rows.append([index, 1.0, x, value, square, position])
            del self.rows[: max(0, len(self.rows) - self.capacity)]
            return True
        row = self.rows[-1]
        row[1] += 1.0
        row[2] += (x - row[2]) / row[1]
        row[3] += (value - row[3]) / row[1]
        row[4] += square
        return False

    def table(self, skip_last: bool = False) -> Floats:
        """Return the rows as an array of shape (bins, 6)."""
        rows = self.rows[:-1] if skip_last else self.rows
        return np.array(rows, dtype=float).reshape(-1, 6)

    def state_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {"width": self.width, "capacity": self.capacity, "rows": [r[:] for r in self.rows]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LogBins:
        """Make bins from what `state_dict` returned."""
        bins = cls(float(state["width"]), int(state["capacity"]))
        bins.rows = [[float(x) for x in row] for row in state["rows"]]
        return bins
