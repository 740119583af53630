"""Ways to try settings within a budget: all combinations, random ones, or one key at a time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from nucleate.core import RecipeError
from nucleate.studies.savings.arms import digest

Setting = dict[str, Any]
Search = Generator[list[Setting], Sequence[float], None]
"""Yields batches of settings; is sent their scores, larger is better."""


def search(
    values: Mapping[str, Sequence[Any]], how: str, budget: int, seed: int, start: Setting
) -> Search:
    """Propose settings, never one twice and never more than the budget.

    Args:
        values: Values to try, by key.
        how: ``grid``, ``random`` or ``turns``, see `Tuning`.
        budget: Settings that may be tried.
        seed: Of the random search.
        start: Where ``turns`` begins; keys it lacks begin at the middle of their values.

    Raises:
        RecipeError: A grid is larger than the budget, or a key has no values.
    """
    if empty := [key for key, tried in values.items() if not tried]:
        raise RecipeError("has no values to try", where=f"tune.{empty[0]}")
    every = [
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    ]
    if how == "grid":
        if len(every) > budget:
            raise RecipeError(
                "grid is larger than the budget",
                where="tuning.runs",
                got=budget,
                expected=f"{len(every)} or more",
                fix="use search: turns, or random",
            )
        yield every
    elif how == "random":
        yield random.Random(f"search-{seed}").sample(every, min(budget, len(every)))
    else:
        yield from _turns(values, budget, start)


def _turns(values: Mapping[str, Sequence[Any]], budget: int, start: Setting) -> Search:
    """Take the best value of one key at a time until a whole round changes nothing."""
    best = {key: start.get(key, tried[len(tried) // 2]) for key, tried in values.items()}
    known: dict[str, float] = {}
    moved = True
    while moved:
        moved = False
        for key, tried in values.items():
            batch = [best] if not known else []
            batch += [{**best, key: value} for value in tried if {**best, key: value} not in batch]
            batch = [setting for setting in batch if digest(setting) not in known]
            batch = batch[: budget - len(known)]
            if batch:
                scores = yield batch
                known |= {digest(s): score for s, score in zip(batch, scores, strict=True)}
            reached = [
                {**best, key: value}
                for value in (*tried, best[key])
                if digest({**best, key: value}) in known
            ]
            better = max(reached, key=lambda setting: known[digest(setting)])
            if known[digest(better)] > known[digest(best)]:
                best, moved = better, True
            if len(known) >= budget:
                return


def neighbours(chosen: Setting, values: Mapping[str, Sequence[Any]]) -> list[tuple[str, Setting]]:
    """Return the settings one step away from the chosen one, each with the key that differs.

    Numbers have the next smaller and the next larger tried value as neighbours, other values all
    others.
    """
    found = []
    for key, tried in values.items():
        others = [value for value in tried if value != chosen[key]]
        if _numbers([*tried, chosen[key]]):
            below = [value for value in others if value < chosen[key]]
            above = [value for value in others if value > chosen[key]]
            others = [*([max(below)] if below else []), *([min(above)] if above else [])]
        found += [(key, {**chosen, key: value}) for value in others]
    return found


def at_edge(chosen: Setting, values: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the keys whose chosen number is the smallest or largest that was tried.

    Keys with fewer than three values, and values that are no numbers, have no interior. Zero is no
    edge for what cannot be negative.
    """
    edges = []
    for key, tried in values.items():
        if len(tried) < 3 or not _numbers(tried):
            continue
        if chosen[key] == max(tried) or (chosen[key] == min(tried) and chosen[key] != 0):
            edges.append(key)
    return edges


def _numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
