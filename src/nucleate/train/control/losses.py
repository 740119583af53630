"""What a controller remembers of the training loss, which comes at every step."""

from __future__ import annotations

import math
from typing import Any

from nucleate.detect.online import ARL, Alarm, OnlineDetector

WINDOW = 20
"""Steps of the running mean; every so many steps it counts as one reading of the loss."""


class Losses:
    """The latest losses, and a detector that looks for steps in all of them.

    Args:
        steps: Whether anything waits for a step.

    Attributes:
        latest: The losses of the last `WINDOW` steps.
        seen: Steps taken in.
        arl: Nominal mean number of steps between false alarms.
    """

    def __init__(self, steps: bool) -> None:
        self.latest: list[float] = []
        self.seen = 0
        self.arl = ARL
        self._detector = OnlineDetector(self.arl) if steps else None

    def add(self, tokens: int, loss: float) -> Alarm | None:
        """Take in the loss of a step (one that is no number is passed over)."""
        if not math.isfinite(loss):
            return None
        self.latest = [*self.latest, loss][-WINDOW:]
        self.seen += 1
        return self._detector.update(tokens, loss) if self._detector else None

    def pulled(self) -> None:
        """A lever was pulled: where the loss goes from here on is compared with itself alone."""
        if self._detector:
            self._detector.rebaseline()

    @property
    def mean(self) -> tuple[float, float] | None:
        """Mean of the last steps and its standard error; None before there are enough."""
        if len(self.latest) < WINDOW:
            return None
        mean = math.fsum(self.latest) / WINDOW
        spread = math.fsum((each - mean) ** 2 for each in self.latest) / (WINDOW - 1)
        return mean, math.sqrt(spread / WINDOW)

    @property
    def full(self) -> bool:
        """Whether a new reading is complete."""
        return self.seen > 0 and self.seen % WINDOW == 0

    def state(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {
            "latest": list(self.latest),
            "seen": self.seen,
            "detector": self._detector.state_dict() if self._detector else None,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Losses:
        """Go on from what `state` returned."""
        made = cls(False)
        made.latest, made.seen = list(state["latest"]), int(state["seen"])
        if state["detector"]:
            made._detector = OnlineDetector.from_state(state["detector"])
        return made
