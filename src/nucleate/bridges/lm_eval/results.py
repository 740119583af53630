"""Write what a run has measured as results of lm-eval: one file for each checkpoint."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nucleate.bridges.lm_eval.tasks import OWN
from nucleate.core import DataError, Reading, Step, measure_of
from nucleate.store import Run

NAMES = {"accuracy": "acc", "brier": "brier_score"}
"""Our measures that lm-eval calls otherwise."""

_FALLING = ("perplexity", "brier", "nll", "loss", "bits_per_byte")
_FILTER = "none"
_LAYOUT = "0.4.13"


def write_results(
    run: str | Path | Run, folder: str | Path, *, samples: bool = False
) -> list[Path]:
    """Write a results file for each checkpoint that a run has Readings of.

    A metric ``blimp.all.accuracy`` becomes ``acc`` of task ``blimp.all``. Where the Readings were
    taken is kept under the key ``nucleate``, which other readers pass over.

    Args:
        run: A run folder.
        folder: Where the files go, in a folder of their own for each checkpoint.
        samples: Also write the scores of single items, as lm-eval logs its samples.

    Returns:
        The results files, in order of training.

    Raises:
        RunFolderError: The run cannot be read.
        DataError: It has no Readings, or nothing can be written.

    Example:
        >>> write_results("runs/scan", "results")  # doctest: +SKIP
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    by_step: dict[int, list[tuple[Step, Reading]]] = {}
    for step, reading in opened.readings():
        by_step.setdefault(step.step, []).append((step, reading))
    if not by_step:
        raise DataError("run has no Readings", where=opened.path)
    date = re.sub(r"[^0-9T-]", "-", opened.manifest.created.partition("+")[0])
    written: list[Path] = []
    for number, taken in sorted(by_step.items()):
        place = Path(folder) / f"{_word(opened.manifest.name)}__step{number}"
        document = _document(opened, taken[0][0], [reading for _, reading in taken])
        path = place / f"results_{date}.json"
        _write(path, json.dumps(document, indent=2, ensure_ascii=False))
        written.append(path)
        if samples:
            for task, lines in _samples(opened, number, [reading for _, reading in taken]).items():
                _write(place / f"samples_{task}_{date}.jsonl", lines)
    return written


def task_of(metric: str) -> tuple[str, str]:
    """Return task and measure of a metric, by lm-eval's names.

    >>> task_of("blimp.all.accuracy")
    ('blimp.all', 'acc')
    """
    measure = measure_of(metric)
    return metric.removesuffix(f".{measure}") or metric, NAMES.get(measure, measure)


def _document(run: Run, step: Step, readings: Sequence[Reading]) -> dict[str, Any]:
    tasks: dict[str, list[Reading]] = {}
    for reading in readings:
        tasks.setdefault(task_of(reading.metric)[0], []).append(reading)
    counts = {task: max(reading.n for reading in own) for task, own in tasks.items()}
    name = f"{run.manifest.name}"
    return {
        "results": {task: _scores(task, own, counts[task]) for task, own in tasks.items()},
        "group_subtasks": {task: [] for task in tasks},
        "configs": {task: _config(task, own) for task, own in tasks.items()},
        "versions": dict.fromkeys(tasks, run.manifest.nucleate),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {
            task: {task_of(r.metric)[1]: measure_of(r.metric) not in _FALLING for r in own}
            for task, own in tasks.items()
        },
        "n-samples": {task: {"original": n, "effective": n} for task, n in counts.items()},
        "config": {
            "model": "nucleate",
            "model_args": {"pretrained": name, "revision": f"step{step.step}"},
            "limit": None,
        },
        "lm_eval_version": _LAYOUT,
        "model_source": "nucleate",
        "model_name": name,
        "model_name_sanitized": _word(name),
        OWN: asdict(step),
    }


def _scores(task: str, readings: Sequence[Reading], count: int) -> dict[str, Any]:
    scores: dict[str, Any] = {"name": task, "alias": task, "sample_len": count}
    for reading in readings:
        key = task_of(reading.metric)[1]
        scores[f"{key},{_FILTER}"] = reading.value
        known = math.isfinite(reading.se)
        scores[f"{key}_stderr,{_FILTER}"] = reading.se if known else "N/A"
    return scores


def _config(task: str, readings: Sequence[Reading]) -> dict[str, Any]:
    first = readings[0]
    measures: dict[str, Mapping[str, Any]] = {
        task_of(reading.metric)[1]: {
            "unit": reading.unit,
            "chance": reading.chance if math.isfinite(reading.chance) else None,
        }
        for reading in readings
    }
    about = {"set": task, "level": str(first.level), "measures": measures}
    return {"task": task, "num_fewshot": 0, "metadata": {OWN: about}}


def _samples(run: Run, step: int, readings: Sequence[Reading]) -> dict[str, str]:
    """Return the lines of each task's sample log: a line for each item, with its scores."""
    tasks: dict[str, dict[str, list[float]]] = {}
    for reading in readings:
        task, measure = task_of(reading.metric)
        scores = run.items(reading.metric, step).astype(float).tolist()
        if scores:
            tasks.setdefault(task, {})[measure] = scores
    logs: dict[str, str] = {}
    for task, scores_of in tasks.items():
        lines = []
        for number in range(max(map(len, scores_of.values()))):
            own = {key: row[number] for key, row in scores_of.items() if number < len(row)}
            sample = {"doc_id": number, "doc": {}, "target": "", "arguments": {}, "resps": []}
            sample |= {"filtered_resps": [], "filter": _FILTER, "metrics": list(own), **own}
            lines.append(json.dumps(sample))
        logs[task] = "\n".join(lines) + "\n"
    return logs


def _word(text: str) -> str:
    return re.sub(r'["<>:/|\\?*\[\]\s]+', "__", text).strip("_") or "model"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError("cannot be written", where=path, got=error.strerror) from None
