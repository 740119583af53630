"""Decide again from what a run has recorded, and compare with what was decided."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nucleate.core import Decision, Reading, Step, UserError
from nucleate.core.settings import validate
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
        return (a.step.step, a.step.tokens, a.rule, a.pulls, a.evidence) == (
            b.step.step,
            b.step.tokens,
            b.rule,
            b.pulls,
            b.evidence,
        )


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
    recorded = {each.rule: each for each in run.decisions()}
    names = [*recorded, *(rule for rule in derived if rule not in recorded)]
    return [Replayed(recorded.get(rule), derived.get(rule)) for rule in names]


def _derive(run: Run, recipe: Recipe) -> list[Decision]:
    controller = Controller(recipe.policy)
    taken: dict[int, list[Reading]] = {}
    for step, reading in run.readings():
        taken.setdefault(step.step, []).append(reading)
    found = controller.step(Step(0, 0), math.nan)
    for step, loss in zip(*run.losses(), strict=True):
        found += controller.step(step, loss)
        found += controller.observe(step, taken.get(step.step, []))
    return found
