"""Find lasting steps in a stream of readings, one reading at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nucleate.detect.online.correlation import Correlation
from nucleate.detect.online.scan import Scan, scan
from nucleate.detect.online.shapes import shapes
from nucleate.detect.online.window import Window

ARL = 2e5
"""Nominal mean number of readings between false alarms, for streams of thousands of readings."""

SHORT_ARL = 1e3
"""The same for streams of some dozens of log-spaced readings."""

HOLD = 14
"""Readings that a step must have lasted in a dense stream."""

STRIDES = ((128, 8), (48, 4), (0, 1))
"""Readings between two looks, for windows of at least so many readings."""

BROAD = 0.5
"""10–90 % width in decades of the sharpest rise that still counts as smooth."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A lasting step was found.

    Attributes:
        position: Where the detector was when it said so.
        onset: Estimated position of the first changed reading.
        evidence: Shiryaev–Roberts sum, comparable with the detector's `arl`.
        direction: 1 up, -1 down.
        size: Size in marginal sds of the noise.
        kind: ``shift``.
    """

    position: float
    onset: float
    evidence: float
    direction: int
    size: float
    kind: str = "shift"


class OnlineDetector:
    """Raise an alarm where a stream steps to another level and stays there.

    Every reading costs constant time and memory. Evidence is a Shiryaev–Roberts e-detector over
    onsets, built from group-invariant e-values (`evidence`); an alarm further needs a step that
    has lasted, is large enough, and fits better than kinks, cubics, broad rises and recovering
    bumps (`scan`). After an alarm the readings before the onset are forgotten.

    Were the trend a parabola over one fixed window and the noise Gaussian AR(1) of known
    correlation, false alarms would come at least `arl` readings apart on average. Correlation is
    estimated, trends bend and the window slides, so this is nominal: measure it on your streams
    (``python -m benchmarks.detect.online``). It is no anytime-valid claim.

    A step that a later decay undoes over tens of readings (a restart whose learning rate is warmed
    up again) is a step while it lasts: tell the detector with `rebaseline`.

    Args:
        arl: Nominal mean number of readings between false alarms; `SHORT_ARL` suits streams of
            some dozens of readings.
        hold: Readings that a step must have lasted in dense streams; sparse streams need a
            twentieth of a decade, at least 3.

    Raises:
        ValueError: If `arl` is not above 1 or `hold` is below 3.

    Example:
        >>> detector = OnlineDetector()
        >>> level = [0.01 * (-1) ** t + (t > 200) for t in range(1, 300)]
        >>> alarms = [detector.update(t, y) for t, y in enumerate(level, 1)]
        >>> [(round(a.onset), a.direction) for a in alarms if a]
        [(201, 1)]
    """

    def __init__(self, arl: float = ARL, hold: int = HOLD) -> None:
        if not arl > 1.0:
            raise ValueError(f"arl must be above 1, got {arl}")
        if hold < 3:
            raise ValueError(f"hold must be at least 3, got {hold}")
        self.arl, self.hold = float(arl), int(hold)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if no reading had come."""
        self._window = Window()
        self._correlation = Correlation()
        self._log_evidence = self._log_suspicion = -math.inf

    def rebaseline(self) -> None:
        """Forget the level but not the noise: something known has changed the stream."""
        self._window.keep(0)
        self._log_evidence = self._log_suspicion = -math.inf

    @property
    def evidence(self) -> float:
        """The Shiryaev–Roberts sum at the last look, comparable with `arl`; 0 before the first."""
        return math.exp(min(self._log_evidence, 700.0))

    @property
    def suspicion(self) -> float:
        """Like `evidence`, but for steps of any age from two readings on, spikes included.

        It rises well before an alarm and falls again after a spike: a reason to probe more
        densely, never a finding. Thresholds of 100 (dozens of readings) to 10,000 (thousands) suit.
        """
        return math.exp(min(self._log_suspicion, 700.0))

    @property
    def skipped(self) -> int:
        """Readings that were refused: not finite, not positive or not in order."""
        return self._window.skipped

    def update(self, position: float, value: float, stderr: float | None = None) -> Alarm | None:
        """Take in one reading.

        Args:
            position: Step or tokens; positive and increasing, else the reading is only counted.
            value: The reading; not finite means missing.
            stderr: Its standard error, if known; noise is then never taken to be smaller.
        """
        window = self._window
        if not window.accept(position, value, stderr):
            return None
        n, density = window.trusted(), window.density()
        stride = next(stride for least, stride in STRIDES if n >= least)
        if window.seen % stride:
            return None
        hold = min(max(round(0.05 * density), 3), self.hold)
        found = self._look(n, hold, density)
        if found is None:
            self._log_evidence = self._log_suspicion = -math.inf
            return None
        self._log_evidence = found.log_evidence
        self._log_suspicion = found.log_suspicion
        self._correlation.learn(found.left_N, 4, stride)
        if not found.lasting or window.seen < min(100.0, 0.8 * density):
            return None
        alarm = Alarm(
            position=window.positions[-1],
            onset=window.positions[found.onset - n],
            evidence=self.evidence,
            direction=1 if found.delta > 0 else -1,
            size=found.size,
        )
        window.keep(n - found.onset)
        self._log_evidence = self._log_suspicion = -math.inf
        return alarm

    def _look(self, n: int, hold: int, density: float) -> Scan | None:
        width = round(BROAD * density) if BROAD * density < 2 * n else 0
        correlation = self._correlation.used()
        shape = shapes(n, hold, width, correlation)
        if shape is None:
            return None
        window = self._window
        return scan(
            np.log10(window.positions[-n:]),
            np.array(window.values[-n:]),
            np.array(window.errors[-n:]),
            hold,
            correlation,
            shape,
            math.log(self.arl),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything as JSON types: a restored detector says the same of what follows."""
        return {
            "arl": self.arl,
            "hold": self.hold,
            "window": self._window.state_dict(),
            "correlation": [self._correlation.mean, self._correlation.weight],
            "logs": [
                log if math.isfinite(log) else None
                for log in (self._log_evidence, self._log_suspicion)
            ],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OnlineDetector:
        """Make a detector from what `state_dict` returned."""
        detector = cls(state["arl"], state["hold"])
        detector._window = Window.from_state(state["window"])
        detector._correlation = Correlation(*(float(x) for x in state["correlation"]))
        logs = [-math.inf if log is None else float(log) for log in state["logs"]]
        detector._log_evidence, detector._log_suspicion = logs
        return detector
