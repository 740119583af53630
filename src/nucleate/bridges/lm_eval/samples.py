"""Sample logs of lm-eval: the scores of single items, and the margins of multiple choice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Log:
    """What the sample log of one task says; empty where there is none.

    Attributes:
        values: Scores of the items, by lm-eval's name of the measure.
        margins: log p(right) - logsumexp(log p(wrong)) of each item, in nats; empty unless all
            items have one.
        options: Number of options of each item; empty for anything but multiple choice.
    """

    values: dict[str, tuple[float, ...]] = field(default_factory=dict)
    margins: tuple[float, ...] = ()
    options: tuple[int, ...] = ()


def read_log(results: Path, task: str, config: Mapping[str, Any]) -> Log:
    """Read the sample log that was written with a results file.

    Args:
        results: ``results_DATE.json``; its log is ``samples_TASK_DATE.jsonl`` beside it.
        config: The task, as the results file tells it.
    """
    date = results.stem.rpartition("_")[2]
    path = results.with_name(f"samples_{task}_{date}.jsonl")
    try:
        if path.stat().st_size > _MAX_BYTES:
            return Log()
        with path.open(encoding="utf-8") as lines:
            samples = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, RecursionError):
        return Log()
    kept = [sample for sample in samples if isinstance(sample, dict)]
    kept = [sample for sample in kept if sample.get("filter", "none") == "none"]
    kept.sort(key=lambda sample: sample.get("doc_id", 0))
    values: dict[str, list[float]] = {}
    for sample in kept:
        for name in sample.get("metrics") or []:
            score = sample.get(name)
            if isinstance(score, (int, float)):
                values.setdefault(name, []).append(float(score))
    complete = {name: tuple(row) for name, row in values.items() if len(row) == len(kept)}
    if config.get("output_type") != "multiple_choice":
        return Log(complete)
    scores = [_log_probs(sample) for sample in kept]
    golds = [_gold(sample, config) for sample in kept]
    whole = kept and all(
        gold is not None and 0 <= gold < len(row) and len(row) > 1
        for gold, row in zip(golds, scores, strict=True)
    )
    if not whole:
        return Log(complete)
    margins = [
        row[gold] - float(np.logaddexp.reduce(row[:gold] + row[gold + 1 :]))
        for gold, row in zip(golds, scores, strict=True)
        if gold is not None
    ]
    return Log(complete, tuple(margins), tuple(map(len, scores)))


def _log_probs(sample: Mapping[str, Any]) -> list[float]:
    """Return log p of each option: the filtered responses, ``[log p, is greedy]`` of each."""
    try:
        return [float(response[0]) for response in sample["filtered_resps"]]
    except (KeyError, TypeError, ValueError, IndexError):
        return []


def _gold(sample: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """Return the place of the right option, None where the log does not say it."""
    doc = sample.get("doc")
    place = doc.get(config.get("doc_to_text")) if isinstance(doc, Mapping) else None
    if isinstance(place, int) and not isinstance(place, bool):
        return place  # contexts to choose from: the question is the place
    target = str(sample.get("target", ""))
    return int(target) if target.isascii() and target.isdigit() else None
