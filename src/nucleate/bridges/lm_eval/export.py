"""Write item sets as tasks of lm-eval: a YAML file and JSON lines for each, groups over conditions.

``lm_eval --include_path FOLDER --tasks nucleate_blimp`` then asks them. The YAML names its data by
absolute path, because lm-eval looks for data files where it is started: write the tasks anew where
they are moved to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.bridges.lm_eval.forms import Form, form_of, metrics, row_of
from nucleate.bridges.lm_eval.tasks import OWN
from nucleate.core import DataError
from nucleate.corpora.itemsets import Item, ItemSet

PREFIX = "nucleate_"
VERSION = 1.0
MAX_CONDITIONS = 200
"""A set with more conditions than this becomes one task."""

_TIME = re.compile(r"\s*\d{4}-\d{2}-\d{2}([T ].*)?\s*")


@dataclass(frozen=True, slots=True)
class Written:
    """A task that was written.

    Attributes:
        name: What ``--tasks`` calls it.
        path: Its YAML file.
        items: Number of documents; of a group, of all its tasks.
        notes: What a reader of its numbers should know.
    """

    name: str
    path: Path
    items: int
    notes: tuple[str, ...] = ()


def write_tasks(sets: Iterable[ItemSet], folder: str | Path) -> list[Written]:
    """Write every set as a task, or as a group with a task for each of its conditions.

    Args:
        folder: Where they go, one folder for each set.

    Returns:
        What ``--tasks`` can be given for each set, in order.

    Raises:
        DataError: The folder cannot be written, or no set can be put as lm-eval asks.

    Example:
        >>> write_tasks([copa], "tasks")[0].name  # doctest: +SKIP
        'nucleate_copa'
    """
    root = Path(folder)
    written: list[Written] = []
    for item_set in sets:
        name = PREFIX + _word(item_set.name)
        parts, notes = _parts(item_set, name)
        own = root / _word(item_set.name)
        tasks = [_task(part, items, item_set, own) for part, items in parts]
        if not tasks:
            raise DataError("set cannot be asked by lm-eval", where=name, got=notes[0])
        total = sum(task.items for task in tasks)
        if len(tasks) == 1 and tasks[0].name == name:
            path = tasks[0].path
        else:
            path = _write(own / f"{name}.yaml", _yaml(_group(name, tasks, item_set)))
        written.append(Written(name, path, total, notes))
    return written


def _parts(item_set: ItemSet, name: str) -> tuple[list[tuple[str, list[Item]]], tuple[str, ...]]:
    """Divide a set into tasks: by condition, and by the form that lm-eval gives their questions."""
    conditions = {item.condition for item in item_set.items}
    by_task: dict[tuple[str, Form], list[Item]] = {}
    unfit = 0
    for item in item_set.items:
        form = form_of(item)
        if form is None:
            unfit += 1
            continue
        condition = item.condition if len(conditions) <= MAX_CONDITIONS else ""
        by_task.setdefault((condition, form), []).append(item)
    dated = [key for key, items in by_task.items() if _look_like_times(key[1], items)]
    unfit += sum(len(by_task.pop(key)) for key in dated)
    several = len({form for _, form in by_task}) > 1
    parts: list[tuple[str, list[Item]]] = []
    for (condition, form), items in by_task.items():
        words = [
            name,
            *([_word(condition)] if condition else []),
            *([form.value] if several else []),
        ]
        parts.append(("_".join(words), items))
    if len({part for part, _ in parts}) < len(parts):
        parts = [(f"{part}_{number}", items) for number, (part, items) in enumerate(parts)]
    return parts, tuple(_notes(unfit, {form for _, form in by_task}, len(conditions)))


def _notes(unfit: int, forms: set[Form], conditions: int) -> Iterable[str]:
    if unfit:
        yield f"{unfit:,} items are left out: lm-eval has no form for them."
    if Form.REGIONS in forms:
        yield "lm-eval tokenises context and region together, so scores may differ slightly."
    if conditions > MAX_CONDITIONS:
        yield f"{conditions:,} conditions are put together."


def _look_like_times(form: Form, items: Sequence[Item]) -> bool:
    """Whether the package `datasets` would take a whole column of texts for points in time."""
    columns: dict[str, list[str]] = {}
    for item in items:
        for key, value in row_of(item, form, " ").items():
            if isinstance(value, (str, list)):
                columns.setdefault(key, []).extend([value] if isinstance(value, str) else value)
    return any(texts and all(map(_TIME.fullmatch, texts)) for texts in columns.values())


def _task(name: str, items: Sequence[Item], item_set: ItemSet, folder: Path) -> Written:
    form = form_of(items[0])
    assert form is not None
    delimiter, normalised = form.delimiter(items)
    data = folder / f"{name}.jsonl"
    lines = [json.dumps(row_of(item, form, delimiter)) for item in items]
    _write(data, "\n".join(lines) + "\n")
    config = {
        "task": name,
        "tag": ["nucleate"],
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data.resolve())}},
        "test_split": "test",
        "output_type": form.output,
        **form.fields,
        "target_delimiter": delimiter,
        "num_fewshot": 0,
        "metric_list": metrics(form, normalised=normalised),
        "metadata": {"version": VERSION, OWN: _about(item_set)},
    }
    return Written(name, _write(folder / f"{name}.yaml", _yaml(config)), len(items))


def _group(name: str, tasks: Sequence[Written], item_set: ItemSet) -> dict[str, Any]:
    return {
        "group": name,
        "task": [task.name for task in tasks],
        "aggregate_metric_list": [
            {"metric": "acc", "aggregation": "mean", "weight_by_size": True},
        ],
        "metadata": {"version": VERSION, OWN: _about(item_set)},
    }


def _about(item_set: ItemSet) -> dict[str, Any]:
    return {
        "set": item_set.name,
        "level": str(item_set.level),
        "source": item_set.source,
        "licence": item_set.licence,
        "notes": list(item_set.notes),
    }


def _yaml(config: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100))


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError("cannot be written", where=path, got=error.strerror) from None
    return path


def _word(text: str) -> str:
    """Return a name that lm-eval, a shell and a file system take."""
    return re.sub(r"\W+", "_", text).strip("_") or "none"
