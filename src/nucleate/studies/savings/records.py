"""What a finished run says to a study: cost by part, tokens, seconds, and its scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nucleate.core import DISCARDED, Mark
from nucleate.corpora.storyworld import Split
from nucleate.store import Run
from nucleate.studies.savings.jobs import Job, read_json
from nucleate.studies.savings.saving import Baseline
from nucleate.studies.savings.scoring import default_levels, levels_of

PROBES = "probes"


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        arm: Its arm.
        seed: Of weights and data.
        key: Name of the run.
        tokens: Tokens of the data trained on.
        flops: Everything that the run needed, probes included.
        parts: The same by part, and work repeated after interruptions, which is in no sum.
        seconds: Measured wall-clock time by part.
        six_nd: FLOPs by the rule of thumb.
        scores: Levels, ``composite`` and ``loss``.
        failed: Why the run has no scores; empty when it has.
        architecture: Of the final weights.
        events: Warnings that the run recorded.
    """

    arm: str
    seed: int
    key: str
    tokens: int = 0
    flops: float = math.nan
    parts: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    six_nd: float = math.nan
    scores: Mapping[str, float] = field(default_factory=dict)
    failed: str = ""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[str, ...] = ()

    def quality(self, name: str) -> float:
        """Return a score as something that is better when it is larger; NaN for a failed run."""
        if self.failed:
            return math.nan
        return -self.scores["loss"] if name == "loss" else self.scores[name]

    @property
    def probe_share(self) -> float:
        """FLOPs of probes as a share of all others."""
        training = self.flops - self.parts.get(PROBES, 0.0)
        return self.parts.get(PROBES, 0.0) / training if training > 0 else math.nan


def record(job: Job, split: Split, levels: Mapping[str, Sequence[str]]) -> Record:
    """Return what a run says; what is missing makes it a failed one.

    Args:
        job: The run.
        split: The probe set whose scores to take.
        levels: Metrics by level; the suite's own when empty.
    """
    failure = read_json(job.beside("failed"))
    if not job.finished:
        why = str(failure["error"]) if failure else "not finished"
        return Record(job.arm, job.recipe.seed, job.key, failed=why)
    run = Run.open(job.folder)
    cost = ledger(run.path)
    told = tuple(e.text for e in run.events() if e.kind in ("warning", "probe disabled"))
    plain = Record(job.arm, job.recipe.seed, job.key, events=told, **cost)
    scored = read_json(job.beside(str(split)))
    if scored is None:
        return replace(plain, failed=str(failure["error"]) if failure else "not scored")
    readings = scored["readings"]
    scores = levels_of(readings, levels or default_levels(job.recipe, tuple(readings)))
    bad = [name for name, value in scores.items() if not math.isfinite(value)]
    return replace(
        plain,
        six_nd=6.0 * scored["parameters"] * scored["tokens"],
        architecture=scored["architecture"],
        scores={} if bad else scores,
        failed=f"diverged: no finite {', '.join(bad)}" if bad else "",
    )


def ledger(folder: Path) -> dict[str, Any]:
    """Return tokens, FLOPs in all and by part, and seconds of a run folder."""
    run = Run.open(folder)
    parts: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for entry in run.ledger():
        if entry.flops:
            parts[entry.part] = parts.get(entry.part, 0.0) + entry.flops
        if (math.isfinite(entry.seconds) and entry.mark is Mark.MEASURED) or entry.part == PROBES:
            seconds[entry.part] = entry.seconds
    last = run.last
    return {
        "tokens": last.tokens if last else 0,
        "flops": sum(flops for part, flops in parts.items() if part != DISCARDED),
        "parts": parts,
        "seconds": {part: spent for part, spent in seconds.items() if math.isfinite(spent)},
    }


def baseline_of(grid: Sequence[Sequence[Record]], quality: str) -> Baseline:
    """Return the frontier's runs from records, by seed and horizon."""
    costs = np.array([[one.flops for one in row] for row in grid])
    return Baseline(
        np.array([known_mean(column) for column in costs.T]),
        np.array([[one.quality(quality) for one in row] for row in grid]),
    )


def known_mean(values: ArrayLike) -> float:
    """Return the mean of what is finite; NaN where nothing is."""
    given = np.asarray(values, np.float64)
    there = given[np.isfinite(given)]
    return float(there.mean()) if there.size else math.nan
