"""What a savings study is asked: workloads, arms, seeds, tuning and scoring, as strict settings."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nucleate.core import RecipeError
from nucleate.core.settings import Settings, load_yaml, validate
from nucleate.studies.savings.floors import Margins
from nucleate.studies.savings.frontier import MIN_HORIZONS

NAME = r"^[A-Za-z0-9][\w.+-]*$"
ARM = r"[A-Za-z0-9][\w.+ -]*"
"""Names of arms may hold spaces; all names are parts of one path, and so hold no slash."""


class Arm(Settings):
    """One way of training, as changes to the workload's recipe.

    Attributes:
        like: Another arm whose changes, and whose tuned values, come first.
        set: Changes by dotted key, such as ``optimizer.lr: 0.004`` or ``policy.0.by: 800000``.
        timing: When the rules of the policy fire: as written (``own``), at the tokens that `at`
            names (``fixed``), when they fired for another seed (``yoked``), or as often but at
            random (``sham``).
        at: With ``fixed``, the tokens of each rule.
        of: With ``yoked`` and ``sham``, the arm whose decisions are used; when empty, the treated.
        tune: Values to try, by dotted key; ``at.RULE`` tunes a fixed time.
        observed: Whether probes are asked, and paid for; by default only where rules need readings.
        seeds: Run only the first so many seeds (ablations may); all when left out.
        ablation: Marks a leave-one-out arm for the page.
        about: What the arm is, in a few words for people.
    """

    like: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    timing: Literal["own", "fixed", "yoked", "sham"] = "own"
    at: dict[str, int] = Field(default_factory=dict)
    of: str = ""
    tune: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    observed: bool | None = None
    seeds: int | None = Field(default=None, ge=2)
    ablation: bool = False
    about: str = ""


class Workload(Settings):
    """A corpus, a model and the arms that are trained on it.

    Attributes:
        recipe: The recipe that every arm starts from: a file beside the study, or inline.
        horizons: Tokens of the baseline's fully decayed runs; the recipe's own length is one.
        arms: By name.
        quality: What is held equal: the ``composite`` of all levels, the held-out ``loss``, or one
            level.
        levels: Metrics that make a level's score, by level; patterns like ``agreement.*.accuracy``
            are fine. The suite's own when left out.
        target: A preset quality for the secondary figure, FLOPs to target.
    """

    recipe: str | dict[str, Any]
    horizons: tuple[int, ...] = Field(min_length=MIN_HORIZONS)
    arms: dict[str, Arm]
    quality: str = "composite"
    levels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    target: float | None = None

    @model_validator(mode="after")
    def _rising(self) -> Workload:
        if any(b <= a for a, b in pairwise(self.horizons)):
            raise ValueError(f"horizons {list(self.horizons)} do not rise")
        for name, arm in self.arms.items():
            if not re.fullmatch(ARM, name):
                raise ValueError(
                    f"{name!r} is no name of an arm: only letters, digits, _.+- and spaces"
                )
            for other in (arm.like, arm.of):
                if other and other not in self.arms:
                    raise ValueError(f"arm {name} names {other!r}, which is no arm")
        for name in self.arms:
            self.line(name)
        return self

    def line(self, arm: str) -> list[str]:
        """Return the arms that an arm builds upon, the first ancestor first, itself last."""
        found = [arm]
        while base := self.arms[found[0]].like:
            if base in found:
                raise ValueError(f"arms are like each other in a circle: {', '.join(found)}")
            found.insert(0, base)
        return found


class Tuning(Settings):
    """How settings are found, before anything sealed is opened.

    Attributes:
        runs: Settings tried per tuned arm, the same number for each: an equal budget.
        seeds: Tuning seeds; none of them is a study seed.
        search: ``grid`` tries every combination and must fit the budget; ``random`` draws without
            repetition; ``turns`` goes through the keys one after the other, all values of each with
            the others at their best so far, and again from the start while the budget lasts.
        seed: Of the random search.
        objective: What is made best, on development probes: ``quality`` (what the study holds
            equal), ``loss``, or the ``saving`` against a frontier of the baseline on tuning seeds,
            for arms whose settings change what a run costs.
        check: Seeds for the held-out check of the baseline against its neighbours; disjoint from
            all others.
    """

    runs: int = Field(ge=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    search: Literal["grid", "random", "turns"] = "turns"
    seed: int = 0
    objective: Literal["quality", "loss", "saving"] = "quality"
    check: tuple[int, ...] = ()


class Scoring(Settings):
    """How finished runs are scored.

    Attributes:
        items: Size of the item sets, see `story_suite` and `text_suite`.
        rows: Rows of held-out text that the loss is taken on.
        ngrams: Lengths, in tokens, of the n-grams of the audit; the longest decides.
    """

    items: int = Field(default=400, ge=8)
    rows: int = Field(default=96, ge=4)
    ngrams: tuple[int, ...] = Field(default=(8, 13, 24), min_length=1)


class Study(Settings):
    """A savings study.

    Attributes:
        seeds: Study seeds, each paired over all arms: initial weights and data order.
        looks: Numbers of seeds at which the study may be looked at, the last one the end.
        baseline, treated: Which arms the claim is about.
    """

    name: str = Field(default="savings", pattern=NAME)
    seeds: tuple[int, ...] = Field(min_length=2)
    looks: tuple[int, ...] = ()
    baseline: str = "B1"
    treated: str = "T"
    workloads: dict[str, Workload] = Field(min_length=1)
    tuning: Tuning | None = None
    scoring: Scoring = Scoring()
    margins: Margins = Margins()

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        for name, workload in self.workloads.items():
            if not re.fullmatch(NAME, name):
                raise ValueError(
                    f"{name!r} is no name of a workload: letters, digits and _.+- only"
                )
            for arm in (self.baseline, self.treated):
                if arm not in workload.arms:
                    raise ValueError(f"workload {name} has no arm {arm}")
        tuned = any(arm.tune for w in self.workloads.values() for arm in w.arms.values())
        if tuned and self.tuning is None:
            raise ValueError("arms are tuned, but there is no budget: key 'tuning' is missing")
        self._refuse_shared_seeds()
        blocks = [b - a for a, b in pairwise((0, *self.looks))]
        if self.looks and (self.looks[-1] != len(self.seeds) or len(blocks) > 2 or min(blocks) < 2):
            raise ValueError(f"looks must be one or two, the last at all {len(self.seeds)} seeds")
        return self

    def _refuse_shared_seeds(self) -> None:
        groups = [self.seeds]
        if self.tuning is not None:
            groups += [self.tuning.seeds, self.tuning.check]
        flat = [seed for group in groups for seed in group]
        if len(set(flat)) < len(flat):
            twice = sorted({seed for seed in flat if flat.count(seed) > 1})
            raise ValueError(f"seeds {twice} are used twice among study, tuning and check")


def load_study(path: str | Path) -> Study:
    """Read a study from strict YAML; recipes named in it are read too.

    Raises:
        RecipeError: The file is missing, not strict YAML, no study, or names a recipe that is none.
    """
    path = Path(path)
    content = load_yaml(path)
    if not content:
        raise RecipeError("is empty", where=path, expected="seeds, workloads …")
    from nucleate.train.recipe import Recipe

    if "workloads" not in content and content.keys() & Recipe.model_fields.keys():
        raise RecipeError("is a recipe, no study", where=path, fix="nucleate train FILE trains it")
    study = validate(Study, content, where=str(path))
    workloads = {
        name: workload.model_copy(update={"recipe": _inline(workload.recipe, path)})
        for name, workload in study.workloads.items()
    }
    return study.model_copy(update={"workloads": workloads})


def _inline(recipe: str | dict[str, Any], study: Path) -> dict[str, Any]:
    if isinstance(recipe, dict):
        return recipe
    content = load_yaml(study.parent / recipe)
    if not content:
        raise RecipeError("is empty", where=study.parent / recipe)
    return content
