"""Refuse rules that wait for what no probe reads, once all probes have answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nucleate.core import Reading, RecipeError
from nucleate.train.control.rules import LOSS, Condition, Rule
from nucleate.train.control.watcher import FROM_0_TO_1


def refuse_unfit(rules: Sequence[Rule], readings: Iterable[Reading]) -> None:
    """Hold every condition against the first readings.

    Raises:
        RecipeError: A metric is not among them, has no ceiling to be saturated at, or no chance
            value to leave.
    """
    there = {reading.metric: reading for reading in readings}
    for rule in rules:
        for part in rule.when.parts():
            if part.about is None or part.about.metric == LOSS:
                continue
            if (metric := part.about.metric) not in there:
                raise RecipeError(
                    f"rule {rule.name!r} waits for a metric that no probe reads",
                    where="policy",
                    got=metric,
                    expected=f"one of {', '.join(_nearest_first(metric, there))}",
                )
            if lack := _lack(part, there[metric]):
                raise RecipeError(
                    f"rule {rule.name!r} waits for {metric}, which has no {lack}", where="policy"
                )


def _nearest_first(metric: str, there: Iterable[str]) -> list[str]:
    from difflib import SequenceMatcher

    return sorted(there, key=lambda name: -SequenceMatcher(None, metric, name).ratio())


def _lack(part: Condition, reading: Reading) -> str:
    if part.saturated and (reading.unit not in FROM_0_TO_1 or reading.chance >= 1.0):
        return f"ceiling to be saturated at (its unit is {reading.unit or 'unknown'})"
    if part.transition and part.transition.from_chance and reading.chance != reading.chance:
        return "chance value to leave"
    return ""
