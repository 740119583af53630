"""The controller: what has been seen in, decisions out; the same from the same record, always."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nucleate.core import Decision, Reading, Step
from nucleate.detect.online import Alarm, PlateauDetector
from nucleate.train.control.fit import refuse_unfit
from nucleate.train.control.losses import Losses
from nucleate.train.control.rules import LOSS, Condition, Rule, Standstill
from nucleate.train.control.watcher import (
    Evidence,
    Watcher,
    beyond,
    evidence,
    standstill,
    standstill_detector,
)


class Controller:
    """Decides when rules fire; it pulls nothing itself.

    Args:
        rules: The policy, in order; each rule fires at most once.

    Attributes:
        metrics: What the rules wait for.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self.metrics: set[str] = set().union(*(rule.when.metrics for rule in rules))
        self._watchers = {metric: Watcher(metric) for metric in sorted(self.metrics)}
        steps = any(part.transition and part.transition.metric == LOSS for _, part in self._parts())
        self._losses = Losses(steps)
        self._plateaus: dict[str, PlateauDetector] = {}
        self._risen: dict[str, Evidence] = {}
        self._fired: dict[str, int] = {}
        self._checked = False

    def step(self, step: Step, loss: float) -> list[Decision]:
        """Return what is decided after an optimiser step (before the first: Step 0, loss NaN)."""
        if LOSS in self.metrics and math.isfinite(loss):
            if alarm := self._losses.add(step.tokens, loss):
                self._note_alarm(alarm)
            if self._losses.full and (mean := self._losses.mean):
                self._watchers[LOSS].add(step.tokens, *mean)
                self._judge(LOSS)
        return self._decide(step)

    def observe(
        self, step: Step, readings: Iterable[Reading], *, whole: bool = True
    ) -> list[Decision]:
        """Return what is decided after an observation.

        Args:
            step: Where training stands.
            readings: What was read.
            whole: Whether every probe answered; only then a missing reading says something of
                the rules.

        Raises:
            RecipeError: A rule waits for something that the first whole readings do not hold.
        """
        taken = list(readings)
        if not taken:
            return []
        if whole and not self._checked:
            refuse_unfit(self._rules, taken)
            self._checked = True
        for reading in taken:
            if reading.metric in self._watchers:
                self._watchers[reading.metric].take(step.tokens, reading)
                self._judge(reading.metric)
        return self._decide(step)

    def _parts(self) -> Iterator[tuple[str, Condition]]:
        for rule in self._rules:
            yield from rule.keyed()

    def _judge(self, metric: str) -> None:
        """Let everything that waits for a metric look at its latest reading."""
        for key, part in self._parts():
            if part.plateau is not None and part.plateau.metric == metric:
                self._judge_plateau(key, part.plateau)
            elif part.transition is not None and part.transition.metric == metric != LOSS:
                found = self._watchers[metric].rise(part.transition)
                if found is not None:
                    self._risen.setdefault(key, found)

    def _judge_plateau(self, key: str, wish: Standstill) -> None:
        watcher = self._watchers[wish.metric]
        if watcher.last is None:
            return
        tokens, value, se = watcher.last
        if key not in self._plateaus:
            self._plateaus[key] = standstill_detector(wish, watcher.chance, watcher.ceiling)
        self._plateaus[key].update(tokens, value, None if math.isnan(se) else se)

    def _note_alarm(self, alarm: Alarm) -> None:
        for key, part in self._parts():
            wish = part.transition
            if wish is None or wish.metric != LOSS or wish.sign != alarm.direction:
                continue
            mean, se = self._losses.mean or (self._losses.latest[-1], math.nan)
            self._risen.setdefault(
                key,
                {
                    **evidence("transition", LOSS, round(alarm.position), mean, se),
                    "onset": round(alarm.onset),
                    "sds": alarm.size,
                    "statistic": alarm.evidence,
                    "threshold": self._losses.arl,
                },
            )

    def _decide(self, step: Step) -> list[Decision]:
        found = []
        for rule in self._rules:
            if rule.name in self._fired:
                continue
            cause = self._holds(step, rule.keyed())
            if cause is None and rule.by is not None and step.tokens >= rule.by:
                last = {name: self._watchers[name].last for name in sorted(rule.when.metrics)}
                values = {name: each[1] for name, each in last.items() if each}
                cause = {"condition": "deadline", "deadline": True, "tokens": rule.by}
                cause |= {"values": values} if values else {}
            if cause is not None:
                self._fired[rule.name] = step.tokens
                found.append(Decision(step, rule.name, dict(rule.pull), cause))
        if found:
            self._losses.pulled()
        return found

    def _holds(self, step: Step, parts: Iterator[tuple[str, Condition]]) -> Evidence | None:
        """Return the evidence that the next condition of a walk holds, None when it does not."""
        key, when = next(parts)
        if when.all:
            found = [self._holds(step, parts) for _ in when.all]
            return None if None in found else {"all": found}
        if when.any:
            found = [self._holds(step, parts) for _ in when.any]
            return next(({"any": each} for each in found if each is not None), None)
        if when.none:
            found = [self._holds(step, parts) for _ in when.none]
            held = any(each is not None for each in found)
            return None if held else {"none": [self._unmet(step, each) for each in when.none]}
        return self._single(step, key, when)

    def _unmet(self, step: Step, when: Condition) -> Evidence:
        """Describe a condition that does not hold, with the latest reading where there is one."""
        (condition,) = when.given
        if inner := (*when.all, *when.any, *when.none):
            return {"condition": condition, "of": [self._unmet(step, each) for each in inner]}
        if when.about is None:
            wait = when.after.model_dump() if when.after else {"tokens": when.tokens}
            return {"condition": condition, **wait}
        metric, wish = when.about.metric, when.above or when.below
        last = self._last(metric, step)
        found = evidence(condition, metric, *last) if last else {"condition": condition}
        threshold = {"threshold": wish.value, "standard_errors": wish.se} if wish else {}
        return {**found, "metric": metric, **threshold}

    def _single(self, step: Step, key: str, when: Condition) -> Evidence | None:
        if when.tokens is not None:
            fine = step.tokens >= when.tokens
            return {"condition": "tokens", "tokens": when.tokens} if fine else None
        if when.after is not None:
            since = self._fired.get(when.after.rule)
            if since is None or step.tokens < since + when.after.tokens:
                return None
            wait = {"rule": when.after.rule, "since": since, "tokens": when.after.tokens}
            return {"condition": "after", **wait}
        if when.plateau is not None:
            detector = self._plateaus.get(key)
            found = detector.plateau if detector else None
            return standstill(when.plateau, found) if found else None
        if when.above is not None:
            return beyond("above", when.above, self._last(when.above.metric, step))
        if when.below is not None:
            return beyond("below", when.below, self._last(when.below.metric, step))
        if when.saturated is not None:
            return self._watchers[when.saturated.metric].saturated(when.saturated)
        return self._risen.get(key)

    def _last(self, metric: str, step: Step) -> tuple[int, float, float] | None:
        if metric == LOSS:
            return (step.tokens, *self._losses.mean) if self._losses.mean else None
        return self._watchers[metric].last

    def state(self) -> dict[str, Any]:
        """Return everything as JSON types: a restored controller decides the same."""
        return {
            "watchers": {name: watcher.state() for name, watcher in self._watchers.items()},
            "losses": self._losses.state(),
            "plateaus": {key: each.state_dict() for key, each in self._plateaus.items()},
            "risen": dict(self._risen),
            "fired": dict(self._fired),
            "checked": self._checked,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._watchers = {
            name: Watcher.from_state(name, each) for name, each in state["watchers"].items()
        }
        self._losses = Losses.from_state(state["losses"])
        self._plateaus = {
            key: PlateauDetector.from_state(each) for key, each in state["plateaus"].items()
        }
        self._risen, self._fired = dict(state["risen"]), dict(state["fired"])
        self._checked = state["checked"]
