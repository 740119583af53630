"""Say that a metric has stopped improving, since when, and where it stands."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.online.bins import LogBins
from nucleate.detect.online.correlation import Correlation
from nucleate.detect.online.gain import Gain, gain, noise_variance

Table = NDArray[np.float64]

BINS = 16
"""Bins of one span."""

MEMORY = 5
"""Spans kept."""

LEAST = 6
"""Readings, and bins, without which nothing is said."""

CONFIRM = 2
"""Looks in a row that must agree before a plateau is called."""

HUGE = 1e100
"""Values beyond this cannot be squared and are refused."""

WINDOWS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Lengths of the windows that are tested, in spans."""

LOOKS = 2.0
"""Looks per span that count as independent when error probability is shared out."""


@dataclass(frozen=True, slots=True)
class Plateau:
    """No progress.

    Attributes:
        position: Where it was first called.
        since: Position from which on progress has been below the tolerance.
        slope: Improvement per decade since then, in the metric's unit.
        upper: Upper confidence bound of that slope.
        level: Mean value over the window.
        kind: ``at chance`` (has not left it), ``saturated`` (near the ceiling) or ``plateau``.
    """

    position: float
    since: float
    slope: float
    upper: float
    level: float
    kind: Literal["at chance", "saturated", "plateau"]


class PlateauDetector:
    """Call a plateau once improvement is shown to be slower than a tolerance.

    An equivalence test at every look: the upper confidence bound of the slope over the last `span`
    decades of position (longer where that holds fewer than 6 readings), or over a window up to
    four times as long, must lie below the tolerance, with and without any single bin, twice in a
    row. The bound allows for correlated
    noise, and `alpha` is shared out over all spans of the stream as 1/(k(k+1)), so that it is
    nominally the probability of ever calling a plateau on a metric that still improves at the
    tolerance; nominally, because noise and correlation are estimated. A plateau ends when the
    estimated slope exceeds the tolerance.

    Args:
        direction: ``up`` or ``down``: where better lies.
        min_gain: Tolerance per decade, in the metric's unit, or in sds of the noise.
        unit: ``metric`` or ``noise`` (sd of differences of neighbouring readings over √2).
        span: Decades of log10 position without progress.
        alpha: Nominal probability of a false plateau in a whole stream.
        chance: Value of a model that knows nothing.
        ceiling: Best possible value.
        near: How near to chance or ceiling counts as there; by default the tolerance.

    Raises:
        ValueError: If `min_gain`, `span` or `alpha` is out of range or a word is unknown.

    Example:
        >>> watch = PlateauDetector("up", min_gain=0.2, ceiling=1.0)
        >>> for k in range(60):
        ...     found = watch.update(1e5 * 10 ** (k / 24), min(1.0, 0.03 * k))
        >>> found.kind
        'saturated'
    """

    def __init__(
        self,
        direction: Literal["up", "down"],
        min_gain: float,
        *,
        unit: Literal["metric", "noise"] = "metric",
        span: float = 0.2,
        alpha: float = 0.1,
        chance: float | None = None,
        ceiling: float | None = None,
        near: float | None = None,
    ) -> None:
        if direction not in ("up", "down") or unit not in ("metric", "noise"):
            raise ValueError(f"direction is up or down, unit metric or noise: {direction}, {unit}")
        if not (min_gain > 0 and span > 0 and 0 < alpha < 0.5):
            raise ValueError(f"got min_gain {min_gain}, span {span}, alpha {alpha}")
        self.direction, self.min_gain, self.unit = direction, min_gain, unit
        self.span, self.alpha = span, alpha
        self.chance, self.ceiling, self.near = chance, ceiling, near
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if no reading had come."""
        self._bins = LogBins(self.span / BINS, BINS * MEMORY)
        self._correlation = Correlation(mean=0.1, weight=100.0)
        self._first = self._last = self._value = 0.0
        self._noise, self._seen, self._agree = 0.0, 0, 0
        self.skipped = 0
        self.plateau: Plateau | None = None

    def update(self, position: float, value: float, stderr: float | None = None) -> Plateau | None:
        """Take in one reading; return the plateau that the stream is on, or None.

        Args:
            position: Step or tokens; positive and increasing, else the reading is only counted.
            value: The reading; not finite or beyond 1e100 means missing.
            stderr: Its standard error, if known; noise is then never taken to be smaller.
        """
        usable = 0 < position < math.inf and abs(value) < HUGE
        if not usable or (self._seen and position <= self._last):
            self.skipped += 1
            return self.plateau
        known = stderr is not None and math.isfinite(stderr)
        if self._seen:
            share = 1.0 / min(self._seen, 200)
            self._noise += (0.5 * (value - self._value) ** 2 - self._noise) * share
        else:
            self._first = position
        self._last, self._value, self._seen = position, value, self._seen + 1
        opened = self._bins.add(position, value, stderr if known and stderr else math.nan)
        if opened and len(self._bins.rows) > LEAST:
            self._look()
        return self.plateau

    def tolerance(self) -> float:
        """Slope per decade below which there is no progress, in the metric's unit."""
        scale = math.sqrt(self._noise) if self.unit == "noise" else 1.0
        return self.min_gain * scale

    def _look(self) -> None:
        """Judge all full bins: a new one has just been opened (a lone reading counts as full)."""
        single = self._bins.rows[-2][1] == 1.0
        table = self._bins.table(skip_last=not single)
        tolerance = self.tolerance()
        windows = [first for first in self._starts(table) if first > 0]
        if not windows:
            return
        now = self._gain(table, windows[0])
        self._correlation.learn(now.left_B, 2, 1)
        if self.plateau is not None:
            if now.slope > tolerance:
                self.plateau, self._agree = None, 0
            return
        held = [first for first in windows if self._gain(table, first).upper <= tolerance]
        self._agree = self._agree + 1 if held else 0
        if self._agree < CONFIRM:
            return
        since = held[-1]
        best = self._gain(table, since)
        for begin in range(since - 1, -1, -1):
            longer = self._gain(table, begin)
            if longer.upper > tolerance:
                break
            since, best = begin, longer
        self.plateau = Plateau(
            self._last,
            float(table[since, 5]),
            best.slope,
            best.upper,
            now.level,
            self._kind(now, tolerance),
        )

    def _starts(self, table: Table) -> list[int]:
        """First bins of the windows to test, shortest first; 0 stands for not long enough."""
        x = table[:, 2]
        ends = [x[-1] - share * self.span for share in WINDOWS]
        return [min(int(np.searchsorted(x, end, "right")) - 1, x.size - LEAST) for end in ends]

    def _gain(self, table: Table, first: int) -> Gain:
        spans = max(math.log10(self._last / self._first) / self.span, 1.0)
        alpha = self.alpha / (LOOKS * spans * (spans + 1.0))
        pooled = noise_variance(table[max(0, first - BINS) : first + 1])
        sign = 1 if self.direction == "up" else -1
        return gain(table[first:], sign, alpha, self._correlation.used(), pooled)

    def _kind(self, now: Gain, tolerance: float) -> Literal["at chance", "saturated", "plateau"]:
        sign = 1 if self.direction == "up" else -1
        near = tolerance if self.near is None else self.near
        if self.ceiling is not None and sign * (self.ceiling - now.level) <= near:
            return "saturated"
        if self.chance is not None and sign * (now.level - self.chance) <= max(
            near, 3.0 * now.error
        ):
            return "at chance"
        return "plateau"

    def state_dict(self) -> dict[str, Any]:
        """Return everything as JSON types: a restored detector says the same of what follows."""
        names = ("min_gain", "unit", "span", "alpha", "chance", "ceiling", "near")
        return {
            "direction": self.direction,
            "settings": {name: getattr(self, name) for name in names},
            "bins": self._bins.state_dict(),
            "correlation": [self._correlation.mean, self._correlation.weight],
            "numbers": [self._first, self._last, self._value, self._noise],
            "counts": [self._seen, self._agree, self.skipped],
            "plateau": None if self.plateau is None else asdict(self.plateau),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PlateauDetector:
        """Make a detector from what `state_dict` returned."""
        made = cls(state["direction"], **state["settings"])
        made._bins = LogBins.from_state(state["bins"])
        made._correlation = Correlation(*(float(x) for x in state["correlation"]))
        made._first, made._last, made._value, made._noise = (float(x) for x in state["numbers"])
        made._seen, made._agree, made.skipped = (int(x) for x in state["counts"])
        made.plateau = None if state["plateau"] is None else Plateau(**state["plateau"])
        return made
