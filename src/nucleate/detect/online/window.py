"""The last readings of a stream, in constant memory, and how far back a trend can be trusted."""

from __future__ import annotations

import bisect
import math
from typing import Any

CAPACITY = 256
"""Readings kept."""

SPAN = 0.6
"""Decades of position over which the trend is trusted to be a parabola in log position."""

LEAST = 18
"""Readings that a window keeps even where they span more decades."""

DENSEST = 1e6
"""Readings per decade beyond which all streams are alike."""


class Window:
    """Accepted readings, oldest first.

    Attributes:
        positions: Where they were taken, increasing.
        values: What was read.
        errors: Standard errors; NaN where none was given.
        seen: Readings accepted since the beginning.
        skipped: Readings refused: not finite, not positive, or not after the one before.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.positions: list[float] = []
        self.values: list[float] = []
        self.errors: list[float] = []
        self.seen = 0
        self.skipped = 0

    def accept(self, position: float, value: float, stderr: float | None = None) -> bool:
        """Take in a reading; return False where it was refused and only counted."""
        usable = math.isfinite(position) and math.isfinite(value) and position > 0
        if not usable or (self.positions and position <= self.positions[-1]):
            self.skipped += 1
            return False
        known = stderr is not None and math.isfinite(stderr) and stderr > 0
        self.positions.append(float(position))
        self.values.append(float(value))
        self.errors.append(float(stderr) if known and stderr is not None else math.nan)
        self.seen += 1
        self.keep(self.capacity)
        return True

    def keep(self, count: int) -> None:
        """Forget all but the last `count` readings."""
        for column in (self.positions, self.values, self.errors):
            del column[: max(0, len(column) - count)]

    def density(self) -> float:
        """Readings per decade at present, over the last twelve intervals."""
        last = min(12, len(self.positions) - 1)
        if last < 1:
            return DENSEST
        decades = math.log10(self.positions[-1] / self.positions[-1 - last])
        return min(last / max(decades, 1e-300), DENSEST)

    def trusted(self) -> int:
        """Return how many of the last readings a trend may be fitted to."""
        begin = bisect.bisect_left(self.positions, self.positions[-1] * 10.0**-SPAN)
        return min(max(len(self.positions) - begin, LEAST), len(self.positions))

    def state_dict(self) -> dict[str, Any]:
        """Return everything as JSON types; NaN becomes None."""
        return {
            "capacity": self.capacity,
            "positions": list(self.positions),
            "values": list(self.values),
            "errors": [None if math.isnan(error) else error for error in self.errors],
            "seen": self.seen,
            "skipped": self.skipped,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Window:
        """Make a window from what `state_dict` returned."""
        window = cls(int(state["capacity"]))
        window.positions = [float(x) for x in state["positions"]]
        window.values = [float(x) for x in state["values"]]
        window.errors = [math.nan if x is None else float(x) for x in state["errors"]]
        window.seen, window.skipped = int(state["seen"]), int(state["skipped"])
        return window
