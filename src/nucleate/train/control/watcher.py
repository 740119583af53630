"""What a controller remembers of one metric, and what it can say of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from nucleate.detect.online import PlateauDetector
from nucleate.train.control.rules import Rise, Saturation, Standstill, Threshold

MEMORY = 128
"""Readings kept of one metric; of longer ones every second of the older half is dropped."""

LEAST_BEFORE = 3
"""Readings that must stand on the plateau before anything can leave it."""

Evidence = dict[str, Any]


@dataclass
class Watcher:
    """The readings of one metric.

    Attributes:
        readings: Tokens, value and standard error (NaN where unknown), in order.
        chance: Value of a model that knows nothing, NaN where there is none.
    """

    metric: str
    readings: list[tuple[int, float, float]] = field(default_factory=list)
    chance: float = math.nan

    def add(self, tokens: int, value: float, se: float, chance: float) -> None:
        """Take in a reading; one that is no number is passed over."""
        if not math.isfinite(value):
            return
        self.chance = chance
        self.readings.append((tokens, value, se))
        if len(self.readings) > MEMORY:
            half = MEMORY // 2
            self.readings = self.readings[:half:2] + self.readings[half:]

    def beyond(self, wish: Threshold, sign: int) -> Evidence | None:
        """Answer whether the latest reading stands above (sign 1) or below (-1) a value."""
        if not self.readings:
            return None
        _, value, se = self.readings[-1]
        slack = wish.se * (0.0 if math.isnan(se) else se)
        if sign * (value - wish.value) - slack <= 0:
            return None
        return {**self._last(), "threshold": wish.value, "sigmas": wish.se}

    def rise(self, wish: Rise) -> Evidence | None:
        """Answer whether the last two readings have left the plateau of those before.

        z = (mean of the last two − mean before) / √(variance of the last two's mean + variance of
        the mean before); variances are those of the standard errors, or of the scatter of the
        readings before where that is larger or no error is known.
        """
        if len(self.readings) < LEAST_BEFORE + 2:
            return None
        before, last = self.readings[:-2], self.readings[-2:]
        mean_before = math.fsum(value for _, value, _ in before) / len(before)
        scatter = math.fsum((value - mean_before) ** 2 for _, value, _ in before)
        scatter /= len(before) - 1
        known = [se * se for _, _, se in self.readings if not math.isnan(se)]
        variance = max(scatter, math.fsum(known) / len(known) if known else 0.0)
        mean_last = math.fsum(value for _, value, _ in last) / 2
        change = (mean_last - mean_before) * (1 if wish.direction == "up" else -1)
        error = math.sqrt(variance * (1 / 2 + 1 / len(before)))
        whole = abs(mean_before) if math.isnan(self.chance) else 1.0 - self.chance
        # A change without any noise before it is as many sigmas as one likes.
        z = change / error if error > 0 else math.copysign(1e9, change) if change else 0.0
        if z < wish.sigmas or change < wish.least * whole:
            return None
        return {**self._last(), "before": mean_before, "z": z, "sigmas": wish.sigmas}

    def saturated(self, wish: Saturation) -> Evidence | None:
        """Answer whether the last two readings stand near 1."""
        if len(self.readings) < 2:
            return None
        chance = 0.0 if math.isnan(self.chance) else self.chance
        mean = sum(value for _, value, _ in self.readings[-2:]) / 2
        share = (mean - chance) / (1.0 - chance)
        return {**self._last(), "share": share} if share >= wish.share else None

    def _last(self) -> Evidence:
        tokens, value, se = self.readings[-1]
        found: Evidence = {"metric": self.metric, "read_at": tokens, "value": value}
        return found if math.isnan(se) else {**found, "se": se}

    def state(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        number = [[t, v, None if math.isnan(s) else s] for t, v, s in self.readings]
        return {"readings": number, "chance": None if math.isnan(self.chance) else self.chance}

    @classmethod
    def from_state(cls, metric: str, state: dict[str, Any]) -> Watcher:
        """Make a watcher from what `state` returned."""
        readings = [
            (int(t), float(v), math.nan if s is None else float(s)) for t, v, s in state["readings"]
        ]
        chance = math.nan if state["chance"] is None else float(state["chance"])
        return cls(metric, readings, chance)


def standstill_detector(wish: Standstill, chance: float) -> PlateauDetector:
    """Return the detector that a plateau condition asks for."""
    return PlateauDetector(
        wish.direction,
        wish.tolerance,
        span=wish.decades,
        chance=None if math.isnan(chance) else chance,
    )
