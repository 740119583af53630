"""The observer: measures a suite at scheduled points of a training run and records it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nucleate.core import Event, Reading, Step
from nucleate.observe.neutral import undisturbed
from nucleate.observe.schedule import Due
from nucleate.probes.suites import Suite
from nucleate.probes.view import ModelView
from nucleate.store import RunWriter

MAX_FAILURES = 3
"""Failures after which a probe is disabled for the rest of the run."""


class Observer:
    """Runs a suite on schedule; a probe that fails never stops training.

    Args:
        model: The model in training (compiled or wrapped is fine).
        suite: What to measure.
        points: Token counts at which to measure.
        writer: Where readings and events go.
        flops_per_token: FLOPs of one token forward, for the ledger.
        listener: Called with the readings of each observation.
    """

    def __init__(
        self,
        model: Any,
        suite: Suite,
        points: tuple[int, ...],
        writer: RunWriter,
        *,
        flops_per_token: float = 0.0,
        listener: Callable[[Step, list[Reading]], None] | None = None,
    ) -> None:
        self._model, self._suite, self._writer = model, suite, writer
        self._due = Due(points)
        self._flops_per_reading = suite.forward_tokens * flops_per_token
        self._listener = listener
        self._failures: dict[str, int] = {}
        self.flops = 0.0
        self.seconds = 0.0

    def after_step(self, step: Step) -> list[Reading]:
        """Measure if a scheduled point has been reached; return the readings (often none)."""
        return self.measure(step) if self._due.pop(step.tokens) else []

    def measure(self, step: Step) -> list[Reading]:
        """Measure the whole suite now and record it."""
        begin = time.perf_counter()
        readings: list[Reading] = []
        with undisturbed(self._model) as model:
            view = ModelView(model)
            for probe, items in self._suite.parts:
                if self._failures.get(probe.name, 0) >= MAX_FAILURES:
                    continue
                try:
                    readings += list(probe.measure(view, items))
                except Exception as error:
                    self._failed(step, probe.name, error)
        for reading in readings:
            self._writer.reading(step, reading)
        self.flops += self._flops_per_reading
        self.seconds += time.perf_counter() - begin
        if self._listener:
            self._listener(step, readings)
        return readings

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
        text = f"{name}: {type(error).__name__}: {error}"
        self._writer.event(Event(step, "probe failed", text))
        if count == MAX_FAILURES:
            text = f"{name} is disabled for the rest of the run after {count} failures"
            self._writer.event(Event(step, "probe disabled", text))
