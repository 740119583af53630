"""Everything that the runs of a study trained on: each stream again, as far as it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.corpora.blend import CORPUS
from nucleate.corpora.packing import DocumentShards, Shards
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.arms import digest
from nucleate.studies.savings.audit import Tokens, audit
from nucleate.studies.savings.jobs import Job
from nucleate.studies.savings.scoring import build_suite
from nucleate.studies.savings.settings import Scoring
from nucleate.train.recipe import Recipe


@dataclass
class Reader:
    """A stream that runs have read.

    Attributes:
        name: Of the stream, with its seed.
        job: One of the runs that read it.
        stream: What the run calls it.
        last: Index of the last shard that any run read.
    """

    name: str
    job: Job
    stream: str
    last: int


def readers(jobs: Sequence[Job]) -> list[Reader]:
    """Return the different streams that finished runs have read.

    Streams are the same where seed and levers are: arms that differ in nothing else share them.
    """
    from nucleate.train.state import load_position

    found: dict[str, Reader] = {}
    for job in jobs:
        places = load_position(job.folder)["training"]["stream"]["streams"]
        levers = job.recipe.model_dump(mode="json", exclude_defaults=True).get("levers", {})
        for stream, place in places.items():
            made_by = [] if stream == CORPUS else levers
            key = digest([stream, job.recipe.seed, job.recipe.context, made_by])
            name = f"{stream}, seed {job.recipe.seed}"
            one = found.setdefault(key, Reader(name, job, stream, 0))
            one.last = max(one.last, place["shard"])
    return list(found.values())


def read(jobs: Sequence[Job], cache: Path) -> Iterator[tuple[str, Tokens]]:
    """Yield the name and the tokens of every shard that runs have read."""
    documents_done = False
    for one in readers(jobs):
        shards = _shards(one, cache)
        last = one.last
        if isinstance(shards, DocumentShards):  # the same documents, whatever seed and epoch
            if documents_done:
                continue
            documents_done, last = True, 0
        for index in range(last + 1):
            yield one.name, shards.shard(index)


def _shards(one: Reader, cache: Path) -> Shards:
    """Make a stream again by pulling the run's levers as it did."""
    import torch

    from nucleate.train.state import load_position
    from nucleate.train.training import Training
    from nucleate.train.workload import build_workload

    small = one.job.recipe.probes.model_copy(update={"items": 32})
    recipe = one.job.recipe.model_copy(update={"probes": small})
    training = Training(recipe, build_workload(recipe, cache), torch.device("cpu"))
    if one.stream != CORPUS:
        for lever, to in load_position(one.job.folder)["pulls"]:
            recipe.levers[lever].pull(training, to)
    return training.stream.sources[one.stream]


def audit_runs(jobs: Sequence[Job], recipe: Recipe, scoring: Scoring) -> dict[str, Any]:
    """Audit the sealed suite of a workload against everything that its runs trained on.

    Args:
        jobs: Finished runs.
        recipe: The workload's recipe.
        scoring: Size of the suite, lengths of the n-grams.
    """
    from nucleate.train.workload import build_workload

    cache = jobs[0].root / ".cache"
    suite = build_suite(recipe, Split.SEALED, scoring, cache)
    tokenizer = build_workload(recipe, cache).tokenizer
    return audit(suite, read(jobs, cache), scoring.ngrams, tokenizer)
