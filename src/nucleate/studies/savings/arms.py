"""From a study's arms to recipes: changes by dotted key, tuned values, timings of the rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from nucleate.core import Decision, RecipeError
from nucleate.core.settings import validate
from nucleate.studies.savings.settings import Study, Workload
from nucleate.train.control import fixed, shamed, yoked
from nucleate.train.control.rules import LOSS
from nucleate.train.recipe import Recipe

AT = "at."
"""Tuned keys that begin so are the fixed time of a rule."""


def looked_up(recipe: Any, key: str) -> Any:
    """Return what stands at a dotted key; None where nothing does.

    >>> looked_up({"policy": [{"by": 3}]}, "policy.0.by")
    3
    """
    at = recipe
    for part in key.split("."):
        if isinstance(at, dict):
            at = at.get(part)
        elif isinstance(at, list) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        else:
            return None
    return at


def changed(recipe: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a recipe with some of its keys replaced.

    Args:
        recipe: As JSON types.
        changes: By dotted key; a number is a place in a list.
        where: Names the arm in errors.

    Raises:
        RecipeError: A key leads through something that has no keys.
    """
    content = deepcopy(dict(recipe))
    for key, value in changes.items():
        *path, last = key.split(".")
        at: Any = content
        for part in path:
            at = _into(at, part, key, where)
        if isinstance(at, list):
            at[_place(at, last, key, where)] = deepcopy(value)
        elif isinstance(at, dict):
            at[last] = deepcopy(value)
        else:
            raise RecipeError(f"key {key!r} leads nowhere", where=where, got=at)
    return content


def _into(at: Any, part: str, key: str, where: str) -> Any:
    if isinstance(at, list):
        return at[_place(at, part, key, where)]
    if isinstance(at, dict):
        return at.setdefault(part, {})
    raise RecipeError(f"key {key!r} leads nowhere", where=where, got=at)


def _place(at: list[Any], part: str, key: str, where: str) -> int:
    if part.isdigit() and int(part) < len(at):
        return int(part)
    raise RecipeError(f"key {key!r} leads nowhere", where=where, expected=f"a place < {len(at)}")


def arm_changes(
    workload: Workload, arm: str, tuned: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return all changes of an arm, those of its ancestors first, and the fixed times of its rules.

    Args:
        tuned: Chosen values by arm, as tuning left them.
    """
    changes: dict[str, Any] = {}
    times: dict[str, int] = {}
    for name in workload.line(arm):
        times |= workload.arms[name].at
        for key, value in (*workload.arms[name].set.items(), *tuned.get(name, {}).items()):
            if key.startswith(AT):
                times[key.removeprefix(AT)] = value
                continue
            # What is set as a whole ends what was set inside it before.
            changes = {k: v for k, v in changes.items() if k != key and not k.startswith(f"{key}.")}
            changes[key] = value
    return changes, times


def base_recipe(workload: Workload, where: str = "recipe") -> Recipe:
    """Return the recipe that every arm of a workload starts from."""
    assert isinstance(workload.recipe, dict)  # `load_study` has read the file
    return validate(Recipe, workload.recipe, where=where)


def refuse_unfit(study: Study) -> None:
    """Make every arm's recipe once, at the first of its tuned values, before anything is trained.

    Raises:
        RecipeError: One of them is no recipe.
    """
    for name, workload in study.workloads.items():
        base_recipe(workload, f"{name}: recipe")
        tuned = {
            arm: {key: values[0] for key, values in settings.tune.items()}
            for arm, settings in workload.arms.items()
        }
        for arm in workload.arms:
            arm_recipe(workload, arm, tuned, seed=0)


def arm_recipe(
    workload: Workload,
    arm: str,
    tuned: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    tokens: int | None = None,
    decisions: Sequence[Decision] = (),
) -> Recipe:
    """Return the recipe of one run.

    Args:
        workload: Whose arm.
        arm: Its name.
        tuned: Chosen values by arm.
        seed: Of weights and data.
        tokens: Length, where it is not the arm's own.
        decisions: For yoked and sham arms, what was decided in the run that lends its timing.

    Raises:
        RecipeError: The changes do not make a recipe, or another corpus than the workload's, or
            its rules could see probes that runs are scored on.
    """
    where = f"arm {arm}"
    changes, times = arm_changes(workload, arm, tuned)
    changes |= {"seed": seed, "name": arm, **({"tokens": tokens} if tokens else {})}
    base = base_recipe(workload)
    recipe = validate(Recipe, changed(base.model_dump(mode="json"), changes, where), where=where)
    if recipe.corpus != base.corpus:
        raise RecipeError(
            "has another corpus than its workload", where=where, fix="arms share the corpus"
        )
    if needs_readings(recipe) and recipe.corpus.probes != "control":
        raise RecipeError(
            "lets its rules see probes that runs are scored on",
            where=f"{where}: corpus.probes",
            got=str(recipe.corpus.probes),
            expected="control",
        )
    timing = workload.arms[arm].timing
    if timing == "own":
        return recipe
    return retimed(recipe, timing, times, decisions, seed)


def retimed(
    recipe: Recipe, timing: str, times: Mapping[str, int], decisions: Sequence[Decision], seed: int
) -> Recipe:
    """Return a recipe whose rules fire at given tokens instead of on what is measured."""
    rules = recipe.policy
    if timing == "fixed":
        policy = fixed(rules, times)
    elif timing == "yoked":
        policy = yoked(rules, decisions)
    else:
        # What is decided at the very end pulls levers that no step feels.
        policy = shamed(rules, decisions, seed, end=recipe.tokens - recipe.rows * recipe.context)
    return recipe.model_copy(update={"policy": tuple(policy)})


def needs_readings(recipe: Recipe) -> bool:
    """Return whether a rule of the recipe waits for something that only probes measure."""
    return any(rule.when.metrics - {LOSS} for rule in recipe.policy)


def plain(recipe: Recipe) -> dict[str, Any]:
    """Return what a recipe says beyond its defaults, as JSON types."""
    content: dict[str, Any] = recipe.model_dump(mode="json", exclude_defaults=True)
    return content


def digest(content: Any) -> str:
    """Return the SHA-256 of JSON types, whatever the order of their keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
