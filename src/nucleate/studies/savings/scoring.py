"""Score finished runs: final weights, a probe set unseen in training, every level, and the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import DataError
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.jobs import Job, read_json, write_json
from nucleate.studies.savings.settings import Scoring
from nucleate.train.recipe import Recipe, StoryWorldCorpus

LOSS = "loss.held_out.nll"
STORY_LEVELS = {
    "syntax": tuple(
        f"agreement.{kind}.accuracy"
        for kind in ("simple", "matched", "attractor", "relative_matched", "relative")
    ),
    "semantics": ("cause.all.accuracy",),
    "narrative": (
        "refrain.all.accuracy",
        "state.where.accuracy",
        "state.holder.accuracy",
        "ending.all.accuracy",
        "coherence.order.accuracy",
        "coherence.contradiction.accuracy",
    ),
    "knowledge": ("fact.common.accuracy", "fact.middle.accuracy", "fact.rare.accuracy"),
}
TEXT_LEVELS = {"syntax": ("blimp.all.accuracy",), "narrative": ("coherence.*.accuracy",)}


def build_suite(recipe: Recipe, split: Split, scoring: Scoring, cache: Path | None = None) -> Any:
    """Build the suite that the runs of a workload are scored with.

    Args:
        recipe: The workload's recipe; its seed plays no part.
        split: Which probe set.
        scoring: How many items.
        cache: Folder of trained tokenizers.
    """
    from nucleate.probes.suites import story_suite
    from nucleate.train.workload import build_workload

    corpus = recipe.corpus
    if isinstance(corpus, StoryWorldCorpus):
        from nucleate.corpora.storyworld import make_world, vocabulary
        from nucleate.corpora.tokenizer import word_tokenizer

        world = make_world(corpus.world)
        return story_suite(
            world,
            corpus.mixture,
            word_tokenizer(vocabulary(world.towns)),
            split=split,
            stories=scoring.items,
            context=recipe.context,
            rows=scoring.rows,
        )
    neutral = recipe.model_copy(
        update={
            "seed": 0,
            "corpus": corpus.model_copy(update={"probes": split}),
            "probes": recipe.probes.model_copy(update={"items": scoring.items, "only": ()}),
        }
    )
    return build_workload(neutral, cache).suite


def scored(job: Job, split: Split, stamp: str) -> bool:
    """Return whether a run has been scored on a probe set, under this stamp."""
    kept = read_json(job.beside(str(split)))
    return kept is not None and kept.get("stamp") == stamp


def score(
    jobs: Sequence[Job], recipe: Recipe, split: Split, scoring: Scoring, stamp: str = ""
) -> int:
    """Score runs of one workload and keep the numbers beside each; return how many were new.

    Args:
        jobs: Finished runs.
        recipe: The workload's recipe.
        split: Which probe set to open.
        scoring: How many items.
        stamp: Kept with every score: one under another stamp is made again.
    """
    import torch

    torch.set_num_threads(1)
    missing = [job for job in jobs if not scored(job, split, stamp)]
    if not missing:
        return 0
    suite = build_suite(recipe, split, scoring, missing[0].root / ".cache")
    for job in missing:
        write_json(job.beside(str(split)), {"stamp": stamp, **_ask(job, suite)})
    return len(missing)


def _ask(job: Job, suite: Any) -> dict[str, Any]:
    """Ask the final weights of a run everything."""
    from nucleate.models import load_checkpoint
    from nucleate.observe.observer import checked
    from nucleate.probes.view import ModelView
    from nucleate.train.state import FOLDER

    checkpoint = load_checkpoint(job.folder / FOLDER)
    view = ModelView(checkpoint.model)
    readings = [r for probe, items in suite.parts for r in checked(probe.measure(view, items))]
    config = checkpoint.model.config
    shape = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    return {
        "split": suite.name,
        "step": checkpoint.step.step,
        "tokens": checkpoint.step.tokens,
        "parameters": sum(p.numel() for p in checkpoint.model.parameters()),
        "architecture": {name: getattr(config, name, None) for name in shape},
        "readings": {
            r.metric: {"value": _number(r.value), "chance": _number(r.chance), "se": _number(r.se)}
            | {"n": r.n}
            for r in readings
        },
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def levels_of(
    readings: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Return each level's score (0 chance, 1 ceiling), their mean as ``composite``, and the loss.

    Args:
        readings: As `score` keeps them.
        wanted: Patterns of metrics by level; each metric counts alike inside its level, each level
            alike in the composite.

    Raises:
        DataError: A level has no metric here.
    """
    scores: dict[str, float] = {}
    for level, patterns in wanted.items():
        found = [m for m in readings if any(fnmatchcase(m, pattern) for pattern in patterns)]
        if not found:
            raise DataError("no such metric was measured", where=level, got=list(patterns))
        scores[level] = float(np.mean([_above_chance(readings[metric]) for metric in found]))
    scores["composite"] = float(np.mean(list(scores.values())))
    loss = readings.get(LOSS, {}).get("value")
    scores["loss"] = math.nan if loss is None else float(loss)
    return scores


def _above_chance(reading: Mapping[str, Any]) -> float:
    """Return (value − chance) / (1 − chance); below chance stays negative, or noise would gain."""
    value, chance = reading["value"], reading["chance"] or 0.0
    return math.nan if value is None else (value - chance) / (1 - chance)


def default_levels(recipe: Recipe, available: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the levels of the recipe's own suite, as far as it can ask for them."""
    story = isinstance(recipe.corpus, StoryWorldCorpus)
    levels = STORY_LEVELS if story else TEXT_LEVELS
    return {
        level: patterns
        for level, patterns in levels.items()
        if any(fnmatchcase(metric, pattern) for metric in available for pattern in patterns)
    }
