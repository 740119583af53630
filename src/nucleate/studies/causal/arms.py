"""The arms of the experiment: the same run again, with some heads held out from some point on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError, UserError
from nucleate.core.settings import validate
from nucleate.store import Run, Status
from nucleate.train.recipe import Recipe
from nucleate.train.session import run as train

LEVER = "held out"
"""What lever and rules are called in the arms' recipes."""
BACK = "let back"

FREE = ("name", "seed", "energy", "resume_every", "checkpoints_per_decade")
"""Settings in which runs of one recipe may differ: no number of the experiment depends on them."""


def recipe_of(run: Run) -> Recipe:
    """Return the recipe that a run was trained with.

    Raises:
        UserError: It is no finished run of a recipe, or pulled levers of its own.
    """
    if run.status is not Status.FINISHED:
        raise UserError("has not finished", where=run.path, fix="finish it, or leave it out")
    if "corpus" not in run.manifest.recipe:
        raise UserError("was not trained from a recipe", where=run.path, fix="leave it out")
    recipe = validate(Recipe, dict(run.manifest.recipe), where=str(run.path / "run.json"))
    if recipe.policy:
        raise UserError("has a policy of its own", where=run.path, fix="use a run without one")
    return recipe


def refuse_two_recipes(runs: Sequence[Run]) -> None:
    """Refuse runs that differ in more than their seed: their delays would not be repetitions.

    Args:
        runs: Of one recipe, as one thinks.

    Raises:
        UserError: A setting differs from that of the first run; `FREE` ones may.
    """
    first: tuple[Run, dict[str, Any]] | None = None
    for run in runs:
        own = _settings(run)
        first = first or (run, own)
        for key in sorted(first[1].keys() | own.keys()):
            here, there = (one.get(key, "nothing") for one in (own, first[1]))
            if here != there:
                raise UserError(
                    f"is of another recipe than {first[0].path.name}: {key}",
                    where=run.path,
                    got=here,
                    expected=str(there),
                    fix="use runs that differ in their seed only",
                )


def _settings(run: Run) -> dict[str, Any]:
    """Return what a run was trained with, by dotted key, settings of older versions filled in."""
    given = dict(run.manifest.recipe)
    if "corpus" in given:
        whole = validate(Recipe, given, where=str(run.path / "run.json"))
        given = whole.model_dump(mode="json")
    return {key: value for key, value in _flat(given) if key.split(".")[0] not in FREE}


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def arm_recipe(recipe: Recipe, heads: Sequence[str], start: int, stop: int | None) -> Recipe:
    """Return the recipe of an arm: heads held out from `start` to `stop` tokens.

    Everything else stays, so that the arm is the untouched run, bit by bit, until `start`.
    Checkpoints are kept as densely as readings are taken.
    """
    rules: list[dict[str, Any]] = [
        {"name": LEVER, "when": {"tokens": start}, "pull": {LEVER: True}}
    ]
    if stop is not None:
        rules.append({"name": BACK, "when": {"tokens": stop}, "pull": {LEVER: False}})
    plain = recipe.model_dump(mode="json")
    return Recipe.model_validate(
        plain
        | {
            "levers": {LEVER: {"kind": "ablate", "heads": list(heads)}},
            "policy": rules,
            "checkpoints_per_decade": recipe.probes.per_decade,
        }
    )


def trained(recipe: Recipe, folder: Path) -> Run:
    """Train an arm, go on with it where it was cut off, or return it where it has finished.

    Raises:
        RunFolderError: The folder holds a run of another recipe.
    """
    if (folder / "run.json").exists():
        there = Run.open(folder)
        kept = validate(Recipe, dict(there.manifest.recipe), where=str(folder / "run.json"))
        if kept != recipe:  # compared as recipes: keys that came later have their defaults
            raise RunFolderError(
                "holds a run of another recipe", where=folder, fix="choose another --out"
            )
        if there.status is not Status.FINISHED:
            train(recipe, folder, resume=True)
    else:
        train(recipe, folder)
    return Run.open(folder)


def same_until(untouched: Run, arm: Run, start: int) -> bool:
    """Return whether all training losses of two runs are equal, to the bit, until `start`.

    Before the first loss nothing can differ; runs without any loss are never called equal.
    """
    until = []
    for run in (untouched, arm):
        steps, losses = run.losses()
        pairs = zip(steps, losses, strict=True)
        until.append([(step.tokens, loss) for step, loss in pairs if step.tokens <= start])
    return until[0] == until[1] and bool(untouched.losses()[0]) and bool(arm.losses()[0])
