"""The observer: measures a suite at scheduled points of a training run and records it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from nucleate.core import Event, Reading, Step, UserError
from nucleate.observe.neutral import undisturbed
from nucleate.observe.processes import refuse_unless_whole
from nucleate.observe.schedule import Due
from nucleate.probes.suites import Suite
from nucleate.probes.view import ModelView
from nucleate.store import RunWriter, TolerantWriter

MAX_FAILURES = 3
"""Failures after which a probe is disabled for the rest of the run."""

PROBE_FAILED, PROBE_DISABLED, SKIPPED = "probe failed", "probe disabled", "reading skipped"
NO_ESTIMATE = "no estimate"
"""Kinds of events."""

ROUNDING = 1e-9
"""Share of its budget by which a sum of FLOPs may be off."""


class Observer:
    """Runs a suite on schedule; a probe that fails never stops training.

    Args:
        model: The model in training (compiled or wrapped is fine).
        suite: What to measure.
        points: Token counts at which to measure.
        writer: Where readings and events go.
        flops_per_token: FLOPs of one token forward, for the ledger.
        budget: FLOPs that probes may have taken at a Step by which a share of the points, from 0 to
            1, is passed; a scheduled reading that would exceed them is skipped. None for no bound.
        listener: Called with the readings of each observation.

    Attributes:
        whole: Whether every probe answered at the last observation.
    """

    def __init__(
        self,
        model: Any,
        suite: Suite,
        points: tuple[int, ...],
        writer: RunWriter | TolerantWriter,
        *,
        flops_per_token: float = 0.0,
        budget: Callable[[Step, float], float] | None = None,
        listener: Callable[[Step, list[Reading]], None] | None = None,
    ) -> None:
        self._model, self._suite = model, suite
        self._writer = TolerantWriter.around(writer)
        self._due = Due(points)
        self._flops_per_reading = suite.forward_tokens * flops_per_token
        self._budget, self._listener = budget, listener
        self._failures: dict[str, int] = {}
        self.whole = True
        self.flops = 0.0
        self.seconds = 0.0
        self.readings = 0

    @property
    def points(self) -> tuple[int, ...]:
        """Token counts at which it measures."""
        return tuple(self._due.points)

    def look_at(self, model: Any, flops_per_token: float) -> None:
        """Measure another model from now on, or the same one after it has changed."""
        self._model = model
        self._flops_per_reading = self._suite.forward_tokens * flops_per_token

    def after_step(self, step: Step, *, last: bool = False) -> list[Reading]:
        """Measure if a scheduled point has been reached; return the readings (often none).

        Args:
            step: Where training stands.
            last: Training ends here: scheduled or not, within the budget or not, it is measured.
        """
        due = self._due.pop(step.tokens)
        if last or (due and self._affordable(step)):
            return self.measure(step)
        if due:
            self.record("event", Event(step, SKIPPED, "it would cost more than probes may"))
        return []

    def _affordable(self, step: Step) -> bool:
        if self._budget is None:
            return True
        budget = self._budget(step, self._due.done / len(self._due.points))
        return self.flops + self._flops_per_reading <= budget * (1 + ROUNDING)

    def measure(self, step: Step) -> list[Reading]:
        """Measure the whole suite now and record it; nothing that fails here stops training."""
        begin = time.perf_counter()
        readings: list[Reading] = []
        self.whole = True
        try:
            refuse_unless_whole(self._model)  # it may have been sharded since it was handed over
        except UserError as error:
            self.whole = False
            warnings.warn(f"nucleate: reading skipped: {error}", stacklevel=2)
            self.record("event", Event(step, SKIPPED, str(error)))
            return readings
        with undisturbed(self._model) as model:
            view = ModelView(model)
            for probe, items in self._suite.parts:
                if self._failures.get(probe.name, 0) >= MAX_FAILURES:
                    self.whole = False
                    continue
                try:
                    readings += checked(probe.measure(view, items))
                except Exception as error:
                    self.whole = False
                    self._failed(step, probe.name, error)
        self.record("readings", step, readings)
        for text in view.remarks:
            self.record("event", Event(step, NO_ESTIMATE, text))
        if view.heads.scores:
            self.record("heads", step, view.heads)
        self.flops += self._flops_per_reading
        self.readings += len(readings)
        if self._listener:
            try:
                self._listener(step, readings)
            except Exception as error:
                warnings.warn(f"nucleate: listener failed: {error}", stacklevel=2)
                self._listener = None
        self.seconds += time.perf_counter() - begin
        return readings

    def record(self, what: str, *content: Any) -> None:
        """Call a method of the writer; where the run folder fails, it warns once and goes on.

        Args:
            what: ``readings``, ``heads``, ``loss``, ``event``, ``ledger`` or ``finish``.
            content: Its arguments.
        """
        getattr(self._writer, what)(*content)

    def state(self) -> dict[str, Any]:
        """Return everything that a resumed observer needs, ready for JSON."""
        return {
            "done": self._due.done,
            "failures": dict(self._failures),
            "flops": self.flops,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state returned by `state`."""
        self._due.done = state["done"]
        self._failures = dict(state["failures"])
        self.flops, self.seconds = state["flops"], state["seconds"]

    def _failed(self, step: Step, name: str, error: Exception) -> None:
        count = self._failures[name] = self._failures.get(name, 0) + 1
        if count == 1:
            text = f"nucleate: probe {name} failed and will be tried again: {error}"
            warnings.warn(text, stacklevel=2)
        text = f"{name}: {type(error).__name__}: {error}"
        self.record("event", Event(step, PROBE_FAILED, text))
        if count == MAX_FAILURES:
            end = f"{name} is disabled for the rest of the run after {count} failures"
            self.record("event", Event(step, PROBE_DISABLED, end))


def checked(readings: Iterable[Reading]) -> list[Reading]:
    """Return the readings of a probe as a list.

    Raises:
        TypeError: One of them is no Reading, or its value is no number.
    """
    found = list(readings)
    for reading in found:
        if not isinstance(reading, Reading):
            raise TypeError(f"yielded {type(reading).__name__} instead of Reading")
        for name in ("value", "se", "chance"):
            if not isinstance(getattr(reading, name), (int, float)):
                raise TypeError(f"{reading.metric}: {name} is no number")
    return found
