"""Read results of lm-eval as Readings, with the scores of single items where they were logged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.bridges.lm_eval.results import NAMES
from nucleate.bridges.lm_eval.samples import Log, read_log
from nucleate.bridges.lm_eval.tasks import OWN, level_of
from nucleate.bridges.tables.jsonfile import load_json
from nucleate.bridges.tables.lm_eval import find_results, is_results, place_of
from nucleate.core import DataError, Level, Reading, Step
from nucleate.probes.readings import mean_reading

_OURS = {theirs: ours for ours, theirs in NAMES.items()}
_NO_MEASURE = ("alias", "name", "sample_len", "sample_count", "samples")
_UNITS = {"accuracy": "fraction", "acc_norm": "fraction", "perplexity": "perplexity"}


def read_results(folder: str | Path) -> list[tuple[Step, Reading]]:
    """Read every results file below a folder, or one of them.

    Sample logs beside a results file give the scores of single items; of multiple choice they also
    give the margin, log p(right) - logsumexp(log p(wrong)), which lm-eval does not report.

    Returns:
        Readings by step, then in the order of the files. Positions are optimiser steps; tokens
        are known where our own exports or the path say them, else they equal the step.

    Raises:
        DataError: There are no results, or nothing says of which training step they are.
    """
    root = Path(folder)
    files = find_results(root) if root.is_dir() else [root]
    found: list[tuple[Step, Reading]] = []
    for path in files:
        document = load_json(path)
        if not is_results(document):
            continue
        step = _step(document, path, root)
        found += [(step, reading) for reading in _readings(document, path)]
    if not found:
        raise DataError("no results of lm-eval", where=root, expected="results_*.json")
    return sorted(found, key=lambda pair: pair[0].step)


def _step(document: Mapping[str, Any], path: Path, root: Path) -> Step:
    own = document.get(OWN)
    if isinstance(own, Mapping):
        try:
            return Step(**own)
        except TypeError:
            raise DataError("key nucleate is no Step", where=path, got=sorted(own)) from None
    step, tokens = place_of(document, path, root)
    if step is None:
        raise DataError(
            "no training step in model name, revision or path",
            where=path,
            fix="name folders after steps: step1000/results.json",
        )
    return Step(int(step), int(step if tokens is None else tokens))


def _readings(document: Mapping[str, Any], path: Path) -> Iterator[Reading]:
    for task, scores in document["results"].items():
        about = _about(document, task)
        given = about.get("level")
        level = Level(str(given)) if given in list(Level) else level_of(task)
        log = read_log(path, task, _config(document, task))
        count = scores.get("sample_len")
        n = count if isinstance(count, int) else len(log.values.get("acc", ()))
        for key, value in scores.items():
            name, _, kind = key.partition(",")
            if name in _NO_MEASURE or name.endswith("_stderr") or not _is_number(value):
                continue
            error = scores.get(f"{name}_stderr" + (f",{kind}" if kind else ""))
            measure = _OURS.get(name, name) if kind in ("", "none") else f"{kind}.{name}"
            known = (about.get("measures") or {}).get(name) or {}
            chance = known.get("chance")
            yield Reading(
                metric=task if measure == task else f"{task}.{measure}",
                value=float(value),
                se=float(error) if _is_number(error) else math.nan,
                n=n,
                chance=_chance(measure, log) if chance is None else float(chance),
                unit=str(known.get("unit") or _UNITS.get(measure, "")),
                level=level,
                items=() if name == "perplexity" else log.values.get(name, ()),
            )
        yield from _companions(task, scores, log, level)


def _companions(task: str, scores: Mapping[str, Any], log: Log, level: Level) -> Iterator[Reading]:
    """Yield the continuous companions of accuracies that lm-eval logs without reporting them."""
    if log.margins and "margin,none" not in scores:
        blind = float(np.mean([-math.log(options - 1) for options in log.options]))
        yield mean_reading(f"{task}.margin", log.margins, level=level, unit="nats", chance=blind)
    # Of a continuation that is to be hit, the log keeps log p under the name of the perplexity.
    log_prob = log.values.get("perplexity", ())
    if log_prob and "log_prob,none" not in scores:
        yield mean_reading(f"{task}.log_prob", log_prob, level=level, unit="nats")


def _chance(measure: str, log: Log) -> float:
    if measure in ("accuracy", "acc_norm") and log.options:
        return float(np.mean([1 / options for options in log.options]))
    return math.nan


def _config(document: Mapping[str, Any], task: str) -> Mapping[str, Any]:
    configs = document.get("configs")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def _about(document: Mapping[str, Any], task: str) -> Mapping[str, Any]:
    metadata = _config(document, task).get("metadata")
    own = metadata.get(OWN) if isinstance(metadata, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
