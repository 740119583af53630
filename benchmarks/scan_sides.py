"""One side of the scan benchmark, as a process of its own: ours, or lm-eval in memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = ("pairs", "four")
"""Of the item sets; the tasks they are written as say before it who wrote them."""


def ours(folder: Path, limit: int = 0) -> dict[str, Any]:
    """Check the series, ask every checkpoint both tasks, keep every item's score."""
    from nucleate.bridges.lm_eval.suite import read_tasks, task_suite
    from nucleate.models.series import find_series, load_tokenizer
    from nucleate.observe.scanning.job import Job
    from nucleate.observe.scanning.survey import survey
    from nucleate.observe.scanning.work import Task, work_here

    series = find_series(str(folder / "series"))
    tokenizer = load_tokenizer(series)
    suite = task_suite(read_tasks(folder / "tasks"), tokenizer, context=512)
    skipped = survey(series).skip
    members = [m for m in series.members if m.name not in skipped][: limit or None]
    found: dict[str, Any] = {}
    begin = time.perf_counter()
    with (folder / "ours.jsonl").open("w") as file:
        for outcome in work_here(Job(suite), iter([Task(member) for member in members])):
            for answer in outcome.answers:
                if answer.error:
                    raise RuntimeError(answer.error)
                for reading in answer.readings:
                    row = [outcome.member.name, reading.metric, reading.value, reading.items]
                    file.write(json.dumps(row) + "\n")
                    task, _, measure = reading.metric.removeprefix("nucleate_").partition(".")
                    if measure == "accuracy":
                        found.setdefault(outcome.member.name, {})[task] = _bounds(reading.items)
    return {"accuracy": found, "seconds": time.perf_counter() - begin, "skipped": sorted(skipped)}


def _bounds(items: Sequence[float]) -> list[float]:
    """Accuracy where options that tie are all wrong, and where they are all right."""
    return [sum(x == 1 for x in items) / len(items), sum(x > 0 for x in items) / len(items)]


def one_batch(folder: Path) -> dict[str, Any]:
    """Tokenise the items, load one checkpoint and run one batch: what cannot be saved."""
    from nucleate.bridges.lm_eval.suite import read_tasks, task_suite
    from nucleate.models.series import SeriesModel, find_series, load_tokenizer, open_weights
    from nucleate.probes.plan import make_plan
    from nucleate.probes.scorer import answer

    series = find_series(str(folder / "series"))
    tasks = read_tasks(folder / "tasks")
    suite = task_suite(tasks, load_tokenizer(series), context=512)
    weights = open_weights(series.members[0])
    model = SeriesModel(weights).load(weights)
    whole = suite.parts[0][1].requests.plan
    number = 128
    while len((first := make_plan(whole.queries[:number], batch_tokens=2**15)).batches) > 1:
        number //= 2
    tokens = first.batches[0].ids_BT.numel()
    return {"tokens": tokens, "answers": len(answer(model, first))}


def in_memory(folder: Path, batch: int, limit: int = 0) -> dict[str, Any]:
    """Let lm-eval evaluate every checkpoint in one process, its tasks built once.

    Args:
        batch: Sequences of a batch; 0 for ``auto``.
        limit: Only so many checkpoints; 0 for all.
    """
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder / "tasks"), include_defaults=False)
    tasks = manager.load([f"nucleate_{name}" for name in NAMES])
    found, scoring = {}, 0.0
    begin = time.perf_counter()
    for home in checkpoints(folder)[: limit or None]:
        lm = HFLM(pretrained=str(home), batch_size=batch or "auto", dtype="float32", device="cpu")
        scored = lm.loglikelihood

        def timed(*given: Any, _scored: Any = scored, **named: Any) -> Any:
            nonlocal scoring
            start = time.perf_counter()
            try:
                return _scored(*given, **named)
            finally:
                scoring += time.perf_counter() - start

        lm.loglikelihood = timed
        results = evaluator.evaluate(lm, tasks, log_samples=False)["results"]
        found[home.name] = {name: results[f"nucleate_{name}"]["acc,none"] for name in NAMES}
    return {"accuracy": found, "seconds": time.perf_counter() - begin, "scoring": scoring}


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in order."""
    return sorted((folder / "series").iterdir(), key=lambda home: int(home.name[4:]))


if __name__ == "__main__":
    side, where, *more = sys.argv[1:]
    run = {"ours": ours, "in_memory": in_memory, "one_batch": one_batch}[side]
    print(json.dumps(run(Path(where), *map(int, more))))
