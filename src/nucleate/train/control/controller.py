"""The controller: what has been seen in, decisions out; the same from the same record, always."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from nucleate.core import Decision, Reading, RecipeError, Step
from nucleate.detect.online import PlateauDetector
from nucleate.train.control.rules import LOSS, Condition, Rule
from nucleate.train.control.watcher import Evidence, Watcher, standstill_detector

LOSS_STEPS = 20
"""Optimiser steps whose mean loss counts as one reading of `train.loss`."""


class Controller:
    """Decides when rules fire; it pulls nothing itself.

    Args:
        rules: The policy, in order; each rule fires at most once.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self.metrics = set().union(*(rule.when.metrics for rule in rules))
        self._watchers = {metric: Watcher(metric) for metric in sorted(self.metrics)}
        self._plateaus: dict[str, PlateauDetector] = {}
        self._fired: dict[str, int] = {}
        self._losses: list[float] = []
        self._known = False

    def step(self, step: Step, loss: float) -> list[Decision]:
        """Return what is decided after an optimiser step (before the first: Step 0, loss NaN)."""
        if LOSS in self._watchers and math.isfinite(loss):
            self._losses.append(loss)
            if len(self._losses) == LOSS_STEPS:
                mean = math.fsum(self._losses) / LOSS_STEPS
                spread = math.fsum((each - mean) ** 2 for each in self._losses) / (LOSS_STEPS - 1)
                se = math.sqrt(spread / LOSS_STEPS)
                self._losses = []
                self._take(LOSS, step, mean, se, math.nan)
        return self._decide(step)

    def observe(self, step: Step, readings: Iterable[Reading]) -> list[Decision]:
        """Return what is decided after an observation.

        Raises:
            RecipeError: A rule waits for a metric that was not among the first readings.
        """
        taken = list(readings)
        if not taken:
            return []
        self._refuse_unknown({reading.metric for reading in taken})
        for reading in taken:
            if reading.metric in self._watchers:
                self._take(reading.metric, step, reading.value, reading.se, reading.chance)
        return self._decide(step)

    def _take(self, metric: str, step: Step, value: float, se: float, chance: float) -> None:
        self._watchers[metric].add(step.tokens, value, se, chance)
        for rule in self._rules:
            for number, part in enumerate(rule.when.parts()):
                if part.plateau is not None and part.plateau.metric == metric:
                    key = f"{rule.name}/{number}"
                    if key not in self._plateaus:
                        self._plateaus[key] = standstill_detector(part.plateau, chance)
                    self._plateaus[key].update(step.tokens, value, None if math.isnan(se) else se)

    def _refuse_unknown(self, there: set[str]) -> None:
        if self._known:
            return
        self._known = True
        for rule in self._rules:
            for metric in sorted(rule.when.metrics - {LOSS} - there):
                raise RecipeError(
                    f"rule {rule.name!r} waits for a metric that no probe reads",
                    where="policy",
                    got=metric,
                    expected=f"one of {', '.join(sorted(there))}",
                )

    def _decide(self, step: Step) -> list[Decision]:
        found = []
        for rule in self._rules:
            if rule.name in self._fired:
                continue
            evidence = self._holds(rule, rule.when, step, iter(range(1_000)))
            if evidence is None and rule.by is not None and step.tokens >= rule.by:
                evidence = {"deadline": rule.by}
            if evidence is not None:
                self._fired[rule.name] = step.tokens
                found.append(Decision(step, rule.name, dict(rule.pull), evidence))
        return found

    def _holds(self, rule: Rule, condition: Condition, step: Step, numbers: Any) -> Evidence | None:
        """Return the evidence that a condition holds, None when it does not.

        `numbers` counts the parts of the rule's condition in the order of `Condition.parts`.
        """
        number = next(numbers)
        if condition.all or condition.any:
            parts = [
                self._holds(rule, part, step, numbers) for part in condition.all or condition.any
            ]
            if condition.all:
                return None if None in parts else {"all": parts}
            return next(({"any": part} for part in parts if part is not None), None)
        return self._single(rule, condition, step, number)

    def _single(self, rule: Rule, when: Condition, step: Step, number: int) -> Evidence | None:
        if when.tokens is not None:
            return {"tokens": when.tokens} if step.tokens >= when.tokens else None
        if when.after is not None:
            since = self._fired.get(when.after.rule)
            fine = since is not None and step.tokens >= since + when.after.tokens
            return {"after": when.after.rule, "since": since} if fine else None
        if when.plateau is not None:
            return self._standstill(f"{rule.name}/{number}", when.plateau.metric)
        if when.above is not None:
            return self._watchers[when.above.metric].beyond(when.above, 1)
        if when.below is not None:
            return self._watchers[when.below.metric].beyond(when.below, -1)
        if when.saturated is not None:
            return self._watchers[when.saturated.metric].saturated(when.saturated)
        assert when.transition is not None
        return self._watchers[when.transition.metric].rise(when.transition)

    def _standstill(self, key: str, metric: str) -> Evidence | None:
        detector = self._plateaus.get(key)
        plateau = detector.plateau if detector else None
        if plateau is None:
            return None
        return {
            "metric": metric,
            "since": plateau.since,
            "slope": plateau.slope,
            "upper": plateau.upper,
            "kind": plateau.kind,
        }

    def state(self) -> dict[str, Any]:
        """Return everything as JSON types: a restored controller decides the same."""
        return {
            "watchers": {name: watcher.state() for name, watcher in self._watchers.items()},
            "plateaus": {key: each.state_dict() for key, each in self._plateaus.items()},
            "fired": dict(self._fired),
            "losses": list(self._losses),
            "known": self._known,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._watchers = {
            name: Watcher.from_state(name, each) for name, each in state["watchers"].items()
        }
        self._plateaus = {
            key: PlateauDetector.from_state(each) for key, each in state["plateaus"].items()
        }
        self._fired, self._losses = dict(state["fired"]), list(state["losses"])
        self._known = state["known"]
