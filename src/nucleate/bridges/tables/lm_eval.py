"""Result files of lm-evaluation-harness, one per checkpoint; names and paths tell the step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.jsonfile import load_json
from nucleate.bridges.tables.records import table_of
from nucleate.core import DataError

_STEP = re.compile(
    r"(?:global[-_]?)?(?:step|checkpoint|ckpt|iter(?:ation)?)s?[-_=]?(?P<number>\d+(?:\.\d+)?)"
    r"(?P<unit>[kKmM])?(?![0-9a-zA-Z])"
)
_TOKENS = re.compile(r"tokens?[-_=]?(?P<number>\d+(?:\.\d+)?)(?P<unit>[kKmMbBtT])(?![0-9a-zA-Z])")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "t": 1_000_000_000_000}
_NO_METRIC = ("alias", "name", "samples", "sample_len", "sample_count")
_MAX_FILES = 20_000
_LATEST = "the latest evaluation counts"
_LOOK = 5
"""Files of a folder that are opened to see whether it holds results."""


def is_results(document: object) -> bool:
    """Whether a JSON document holds results of lm-evaluation-harness."""
    if not isinstance(document, Mapping) or not isinstance(document.get("results"), Mapping):
        return False
    known = ("config", "versions", "n-shot", "configs", "model_name")
    return any(key in document for key in known) and all(
        isinstance(task, Mapping) for task in document["results"].values()
    )


def find_results(folder: Path) -> list[Path]:
    """Return the files below a folder that hold results: ``results_*.json``, or named by step."""
    for pattern in ("results*.json", "*step*.json"):
        found = sorted(folder.rglob(pattern))[:_MAX_FILES]
        if any(_is_results_file(path) for path in found[:_LOOK]):
            return found
    return []


def _is_results_file(path: Path) -> bool:
    try:
        return is_results(load_json(path))
    except DataError:
        return False


def results_table(files: list[Path], root: Path) -> Table:
    """Join the results of several checkpoints.

    Raises:
        DataError: No file holds results, or none says of which training step it is.
    """
    records: list[dict[str, Any]] = []
    placeless = unknown = 0
    for path in sorted(files, key=lambda path: (path.name, path)):  # names end in their time
        try:
            document = load_json(path)
        except DataError:
            document = None
        if not is_results(document):
            unknown += 1
            continue
        found = list(_records(document, path, root))
        placeless += not found
        records += found
    if not records:
        raise DataError(
            "no training step in model name, revision or path" if placeless else "no results",
            where=root,
            expected="revision=step1000, checkpoint-500 …",
            fix="name folders after steps: step1000/results.json",
        )
    notes = [
        f"{count:,} files {what} and were left out."
        for count, what in ((placeless, "name no training step"), (unknown, "hold no results"))
        if count
    ]
    table = table_of(records, str(root), notes=tuple(notes), replaces=_LATEST)
    return replace(table, metric=("task", "metric"))


def place_of(
    document: Mapping[str, Any], path: Path, root: Path
) -> tuple[float | None, float | None]:
    """Return training step and tokens of a results file, None where nothing says them.

    Args:
        root: Folder that is read; the names of folders below it count too.
    """
    own = document.get("nucleate")
    if isinstance(own, Mapping) and _is_number(own.get("step")) and _is_number(own.get("tokens")):
        return float(own["step"]), float(own["tokens"])
    places = _places(document, path, root)
    return _first(_STEP, places), _first(_TOKENS, places)


def _records(document: Mapping[str, Any], path: Path, root: Path) -> Iterator[dict[str, Any]]:
    model = _model(document)
    step, tokens = place_of(document, path, root)
    if step is None:
        return
    own: dict[str, Any] = {"model": model or _stem(path), "step": step}
    if tokens is not None:
        own["tokens"] = tokens
    for task, scores in document["results"].items():
        about = {
            **own,
            "task": task,
            "shots": _of(document, "n-shot", task),
            "n": _of(document, "n-samples", task, "effective"),
        }
        for key, value in scores.items():
            name, _, kind = key.partition(",")
            if name in _NO_METRIC or name.endswith("_stderr") or not _is_number(value):
                continue
            error = scores.get(f"{name}_stderr" + (f",{kind}" if kind else ""))
            yield {
                **about,
                "metric": name if kind in ("", "none") else f"{kind}.{name}",
                "value": value,
                "stderr": error if _is_number(error) else None,
            }
        margin = _margin(document, task, path) if "margin,none" not in scores else None
        if margin:
            yield {**about, "metric": "margin", "value": margin[0], "stderr": margin[1]}


def _margin(document: Mapping[str, Any], task: str, path: Path) -> tuple[float, float] | None:
    """Return mean and standard error of the margins that the sample log of a task tells."""
    from nucleate.bridges.lm_eval.samples import read_log

    configs = document.get("configs")
    config = configs.get(task) if isinstance(configs, Mapping) else None
    values = read_log(path, task, config).margins if isinstance(config, Mapping) else ()
    return (fmean(values), stdev(values) / len(values) ** 0.5) if len(values) > 1 else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of(document: Mapping[str, Any], *keys: str) -> object:
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if _is_number(found) else None


def _arguments(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments of the model, written as text in older and as mapping in newer files."""
    config = document.get("config")
    given = config.get("model_args") if isinstance(config, Mapping) else None
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    pairs = (part.partition("=") for part in str(given or "").split(","))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _places(document: Mapping[str, Any], path: Path, root: Path) -> list[str]:
    """Return the texts that may name the step, the most telling first."""
    arguments = _arguments(document)
    below = path.relative_to(root).parts if path != root else (*path.parts[-3:],)
    named = [arguments.get("revision", ""), arguments.get("pretrained", "")]
    return [*named, str(document.get("model_name") or ""), *reversed(below)]


def _model(document: Mapping[str, Any]) -> str:
    """Return the name of the model without the part that names the step."""
    name = _arguments(document).get("pretrained") or str(document.get("model_name") or "")
    parts = [_STEP.sub("", part).strip("-_=") for part in name.split("/")]
    return "/".join(part for part in parts if part)


def _stem(path: Path) -> str:
    """Return what a path calls the model: ``70m_step1000.json`` → ``70m``."""
    return _STEP.sub("", path.stem).strip("-_=") if _STEP.search(path.stem) else ""


def _first(pattern: re.Pattern[str], places: list[str]) -> float | None:
    """Return the number that the first matching place names."""
    match = next(filter(None, map(pattern.search, places)), None)
    return float(match["number"]) * _UNITS[(match["unit"] or "").lower()] if match else None
