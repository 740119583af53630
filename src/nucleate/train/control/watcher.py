"""What a controller remembers of one metric that probes read, and what it can say of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from nucleate.core import Reading
from nucleate.detect.online import Plateau, PlateauDetector
from nucleate.train.control.rules import Rise, Saturation, Standstill, Threshold

MEMORY = 128
"""Readings kept of one metric; of longer ones every second of the older half is dropped."""

LEAST_BEFORE = 3
"""Readings that must stand on the plateau before anything can leave it."""

CERTAIN = 1e9
"""Standard errors of a change where neither errors nor scatter are seen."""

FROM_0_TO_1 = ("fraction", "probability")
"""Units of metrics whose best value is 1."""

Evidence = dict[str, Any]


@dataclass
class Watcher:
    """The readings of one metric.

    Attributes:
        readings: Tokens, value and standard error (NaN where unknown), in order.
        chance: Value of a model that knows nothing, NaN where there is none.
        ceiling: Best possible value, NaN where there is none.
    """

    metric: str
    readings: list[tuple[int, float, float]] = field(default_factory=list)
    chance: float = math.nan
    ceiling: float = math.nan

    def take(self, tokens: int, reading: Reading) -> None:
        """Take in what a probe has read."""
        self.chance = float(reading.chance)
        self.ceiling = 1.0 if reading.unit in FROM_0_TO_1 else math.nan
        self.add(tokens, float(reading.value), float(reading.se))

    def add(self, tokens: int, value: float, se: float) -> None:
        """Take in a value; one that is no number is passed over."""
        if not math.isfinite(value):
            return
        self.readings.append((tokens, value, se))
        if len(self.readings) > MEMORY:
            half = MEMORY // 2
            self.readings = self.readings[:half:2] + self.readings[half:]

    @property
    def last(self) -> tuple[int, float, float] | None:
        """The latest reading: tokens, value, standard error."""
        return self.readings[-1] if self.readings else None

    def rise(self, wish: Rise) -> Evidence | None:
        """Answer whether the last two readings have left the plateau of those before.

        z = (mean of the last two − mean before) / √(variance · (1/2 + 1/number before)); the
        variance is the mean square of the standard errors, or that of the scatter of the readings
        before where that is larger. With `from_chance`, chance stands for the mean before, which
        then has no error.
        """
        before, last = self.readings[:-2], self.readings[-2:]
        if len(last) < 2 or (len(before) < LEAST_BEFORE and not wish.from_chance):
            return None
        variance, share = _mean([se * se for _, _, se in self.readings if not math.isnan(se)]), 0.0
        level = self.chance
        if not wish.from_chance:
            level, share = _mean([value for _, value, _ in before]), 1 / len(before)
            scatter = math.fsum((value - level) ** 2 for _, value, _ in before)
            variance = max(variance, scatter / (len(before) - 1))
        change = (_mean([value for _, value, _ in last]) - level) * wish.sign
        error = math.sqrt(variance * (1 / 2 + share))
        z = change / error if error > 0 else math.copysign(CERTAIN, change) if change else 0.0
        if z < wish.sigmas or change <= 0 or change < wish.least * self._range(level):
            return None
        found = {"before": level, "change": change, "statistic": z, "threshold": wish.sigmas}
        return {**evidence("transition", self.metric, *last[-1]), **found}

    def saturated(self, wish: Saturation) -> Evidence | None:
        """Answer whether the last two readings, each of them, stand near the ceiling."""
        if len(self.readings) < 2:
            return None
        chance = 0.0 if math.isnan(self.chance) else self.chance
        lower = min(value for _, value, _ in self.readings[-2:])
        share = (lower - chance) / (1.0 - chance)
        if share < wish.share:
            return None
        found = {"statistic": share, "threshold": wish.share}
        return {**evidence("saturated", self.metric, *self.readings[-1]), **found}

    def _range(self, level: float) -> float:
        """How far a metric can come: from chance to its ceiling; without one, its own size."""
        if math.isnan(self.ceiling):
            return abs(level)
        return self.ceiling - (0.0 if math.isnan(self.chance) else self.chance)

    def state(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {
            "readings": [[tokens, value, _known(se)] for tokens, value, se in self.readings],
            "chance": _known(self.chance),
            "ceiling": _known(self.ceiling),
        }

    @classmethod
    def from_state(cls, metric: str, state: dict[str, Any]) -> Watcher:
        """Make a watcher from what `state` returned."""
        readings = [(int(t), float(v), _number(se)) for t, v, se in state["readings"]]
        return cls(metric, readings, _number(state["chance"]), _number(state["ceiling"]))


def evidence(condition: str, metric: str, tokens: int, value: float, se: float) -> Evidence:
    """Return what every condition on a metric tells: which, of what, and the latest reading."""
    found: Evidence = {"condition": condition, "metric": metric, "read_at": tokens, "value": value}
    return {**found, "se": se} if math.isfinite(se) else found


def beyond(
    condition: str, wish: Threshold, last: tuple[int, float, float] | None
) -> Evidence | None:
    """Answer whether the latest reading stands ``above`` or ``below`` a value.

    Where standard errors are asked for and unknown, it does not.
    """
    if last is None:
        return None
    _, value, se = last
    distance = value - wish.value if condition == "above" else wish.value - value
    if not distance > (wish.se * se if wish.se else 0.0):
        return None
    return {
        **evidence(condition, wish.metric, *last),
        "threshold": wish.value,
        "standard_errors": wish.se,
    }


def standstill_detector(wish: Standstill, chance: float, ceiling: float) -> PlateauDetector:
    """Return the detector that a plateau condition asks for."""
    return PlateauDetector(
        "up" if wish.sign > 0 else "down",
        wish.tolerance,
        span=wish.decades,
        chance=_known(chance),
        ceiling=_known(ceiling),
    )


def standstill(wish: Standstill, plateau: Plateau) -> Evidence:
    """Return what a plateau detector has found."""
    return {
        "condition": "plateau",
        "metric": wish.metric,
        "kind": plateau.kind,
        "value": plateau.level,
        "since": plateau.since,
        "slope": plateau.slope,
        "statistic": plateau.upper,
        "threshold": wish.tolerance,
    }


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
