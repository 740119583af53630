"""Decide again from what a run has recorded, and compare with what was decided."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nucleate.core import Decision, Reading, Step, UserError
from nucleate.core.settings import validate
from nucleate.observe.observer import PROBE_DISABLED, PROBE_FAILED
from nucleate.store import Run
from nucleate.train.control.controller import Controller
from nucleate.train.recipe import Recipe


@dataclass(frozen=True)
class Replayed:
    """One decision of the record beside the one that the record leads to.

    Attributes:
        recorded: What was decided; None where the record shows no such decision.
        derived: What follows from readings and losses; None where nothing does.
    """

    recorded: Decision | None
    derived: Decision | None

    @property
    def same(self) -> bool:
        """Whether both are there and say the same: place, rule, levers, evidence."""
        a, b = self.recorded, self.derived
        if a is None or b is None:
            return False
        place = (a.step.step, a.step.tokens) == (b.step.step, b.step.tokens)
        words = (a.rule, a.pulls) == (b.rule, b.pulls)
        return place and words and _alike(a.evidence, b.evidence)


def replay(run: Run) -> list[Replayed]:
    """Derive every decision of a run again.

    Raises:
        UserError: The run was not trained from a recipe with a policy.
    """
    where = str(run.path / "run.json")
    if not run.manifest.recipe.get("policy"):
        raise UserError(
            "has no policy, so nothing was decided", where=where, fix="replay a run that has one"
        )
    recipe = validate(Recipe, dict(run.manifest.recipe), where=where)
    derived = {each.rule: each for each in _derive(run, recipe)}
    # A rule that is recorded twice finds nothing derived the second time.
    found = [Replayed(each, derived.pop(each.rule, None)) for each in run.decisions()]
    return [*found, *(Replayed(None, each) for each in derived.values())]


def _derive(run: Run, recipe: Recipe) -> list[Decision]:
    controller = Controller(recipe.policy)
    taken: dict[int, list[Reading]] = {}
    for step, reading in run.readings():
        taken.setdefault(step.step, []).append(reading)
    failed = {event.step.step for event in run.events() if event.kind == PROBE_FAILED}
    disabled = [event.step.step for event in run.events() if event.kind == PROBE_DISABLED]
    whole_until = min(disabled, default=math.inf)
    found = controller.step(Step(0, 0), math.nan)
    for step, loss in zip(*run.losses(), strict=True):
        found += controller.step(step, loss)
        whole = step.step not in failed and step.step < whole_until
        found += controller.observe(step, taken.get(step.step, []), whole=whole)
    return found


def _alike(a: Any, b: Any) -> bool:
    """Whether evidence is the same but for rounding, which may differ between machines."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(a == b)
