"""Which runs a study needs: every arm, seed and horizon of a round, lenders before borrowers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import RecipeError
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.arms import arm_recipe, needs_readings
from nucleate.studies.savings.jobs import Job
from nucleate.studies.savings.settings import Study, Workload

Tuned = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Round:
    """All arms on some seeds, scored on one probe set.

    Attributes:
        name: Folder of its runs, ``preview`` or ``runs``.
        seeds: In order; the first of them are the first looked at.
        split: What they are scored on.
        looks: Numbers of seeds that are complete blocks: yoked seeds swap inside a block.
    """

    name: str
    seeds: tuple[int, ...]
    split: Split
    looks: tuple[int, ...] = ()

    def lender(self, seed: int) -> int:
        """Return the seed whose decisions a yoked run of a seed uses: never its own.

        Inside each block of seeds that are looked at together, the next one, cyclically.
        """
        start = 0
        for end in (*self.looks, len(self.seeds)):
            block = self.seeds[start:end]
            if seed in block:
                return block[(block.index(seed) + 1) % len(block)]
            start = max(start, end)
        raise ValueError(f"seed {seed} is not of this round")


@dataclass(frozen=True)
class Slot:
    """The place of a run in a round; its recipe may depend on runs before it."""

    workload: str
    arm: str
    seed: int
    tokens: int | None = None


def slots(study: Study, name: str, round_: Round) -> list[Slot]:
    """Return every run of a workload in a round: the baseline's horizons, then the other arms.

    Raises:
        RecipeError: The baseline's own length is none of the horizons.
    """
    workload = study.workloads[name]
    reference = reference_tokens(study, name, {})
    if reference not in workload.horizons:
        raise RecipeError(
            "the recipe's own length must be one of the horizons",
            where=f"workloads.{name}.horizons",
            got=list(workload.horizons),
            expected=f"{reference} among them",
        )
    found = [
        Slot(name, study.baseline, seed, tokens)
        for seed in round_.seeds
        for tokens in reversed(workload.horizons)
    ]
    for arm, settings in workload.arms.items():
        if arm != study.baseline:
            found += [Slot(name, arm, seed) for seed in round_.seeds[: settings.seeds]]
    return found


def reference_tokens(study: Study, name: str, tuned: Tuned) -> int:
    """Return the length of the baseline's final, which quality floors are held against."""
    workload = study.workloads[name]
    return arm_recipe(workload, study.baseline, tuned, seed=0).tokens


def borrows(workload: Workload, arm: str) -> bool:
    """Return whether an arm's timing comes from another arm's decisions."""
    return workload.arms[arm].timing in ("yoked", "sham")


def job_of(
    study: Study, slot: Slot, tuned: Tuned, root: Path, decisions: Sequence[Any] = ()
) -> Job:
    """Return the run of a slot.

    Args:
        tuned: Chosen values of the slot's workload, by arm.
        root: Folder that its run folder lies in.
        decisions: Of the run that lends its timing.
    """
    workload = study.workloads[slot.workload]
    recipe = arm_recipe(
        workload, slot.arm, tuned, seed=slot.seed, tokens=slot.tokens, decisions=decisions
    )
    wish = workload.arms[slot.arm].observed
    observed = needs_readings(recipe) if wish is None else wish
    return Job(root, slot.arm, recipe, observed)
