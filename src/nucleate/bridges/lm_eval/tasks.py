"""Tasks of lm-eval as item sets that ask a model exactly what lm-eval would ask it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.bridges.lm_eval.documents import Doc, Documents
from nucleate.bridges.lm_eval.fields import Fields
from nucleate.bridges.lm_eval.prompts import SEED, Prompt, Shots
from nucleate.bridges.lm_eval.yamls import Code, Config, find_tasks
from nucleate.core import DataError, Level, UserError
from nucleate.corpora.items import Choice, Cloze
from nucleate.corpora.itemsets import ItemSet

OWN = "nucleate"
"""Key of a task's metadata under which our own exports keep what lm-eval has no place for."""

_CODE = ("class", "custom_dataset", "use_prompt", "process_results", "doc_to_image", "doc_to_audio")
_SHOT_KEYS = ("doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix")
_DELIMITERS = ("target_delimiter", "fewshot_delimiter")
_MEASURES = ("acc", "acc_norm", "acc_bytes", "perplexity", "brier_score", "likelihood")


def read_tasks(
    paths: str | Path | Iterable[str | Path],
    *,
    level: Level | None = None,
    items: int | None = None,
    shots: int | None = None,
    seed: int = SEED,
) -> list[ItemSet]:
    """Read tasks of lm-eval (multiple choice and log-likelihood) from their YAML.

    Nothing of a task is run: templates are filled in a sandbox, and Python functions are refused
    unless they are among the few of lm-eval that are written again here.

    Args:
        paths: YAML files, files of groups, or folders of tasks.
        level: What the items speak about; where None, what an export of ours or the catalogue of
            published sets says, else semantics.
        items: Ask only the first so many documents of each task, as ``--limit`` does.
        shots: Examples before each question, as ``--num_fewshot``; a task that says 0 keeps it.
        seed: Seed of the examples.

    Raises:
        DataError: A file is no task, asks for generated text, needs code, or its documents cannot
            be loaded or do not fit.

    Example:
        >>> read_tasks("lm_eval/tasks/piqa/piqa.yaml", items=100)  # doctest: +SKIP
    """
    single = isinstance(paths, (str, Path))
    given: Sequence[str | Path] = [paths] if single else list(paths)  # type: ignore[list-item, arg-type]
    sets: list[ItemSet] = []
    for path in given:
        for file, config in find_tasks(Path(path)):
            sets.append(_item_set(file, config, level, items, shots, seed))
    if len({item_set.name for item_set in sets}) < len(sets):
        names = [item_set.name for item_set in sets]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError("two tasks have one name", got=twice, fix="read them one at a time")
    return sets


def _item_set(
    file: Path,
    config: Config,
    level: Level | None,
    items: int | None,
    shots: int | None,
    seed: int,
) -> ItemSet:
    name, where = str(config["task"]), f"{file} ({config['task']})"
    _refuse_what_is_not_read(config, where)
    documents = Documents(config, file)
    docs = documents.evaluated()
    if not docs:
        raise DataError("task has no documents", where=where)
    prompt = _prompt(config, documents, where, shots, seed)
    chosen = docs if items is None else docs[:items]
    kind = config["output_type"]
    made = _choices(prompt, chosen) if kind == "multiple_choice" else _clozes(prompt, chosen)
    own = _own(config)
    return ItemSet(
        name=re.sub(r"\W+", "_", name).strip("_"),
        level=level or _level(name, own),
        source=str(own.get("source") or f"lm-eval task {name} ({config.get('dataset_path')})"),
        licence=str(own.get("licence") or "not stated by the task"),
        items=tuple(made),
        notes=(*own.get("notes", ()), *_notes(config)),
    )


def _refuse_what_is_not_read(config: Config, where: str) -> None:
    kind = config.get("output_type", "generate_until")
    if kind not in ("multiple_choice", "loglikelihood"):
        expected = "multiple_choice or loglikelihood"
        raise DataError("output_type is not read", where=where, got=kind, expected=expected)
    for key in _CODE:
        if config.get(key) is not None:
            raise DataError(
                f"needs {key}, which is not read",
                where=where,
                got=config[key].name if isinstance(config[key], Code) else config[key],
                fix="export the task's documents and read those",
            )
    filters = [step for entry in config.get("filter_list") or [] for step in entry["filter"]]
    if any(step.get("function") != "take_first" for step in filters):
        raise DataError("filters are not read", where=where, got=filters)


def _prompt(
    config: Config, documents: Documents, where: str, shots: int | None, seed: int
) -> Prompt:
    names = frozenset(documents.evaluated()[0])
    own = config.get("fewshot_config") or {}
    given = {key: config.get(key) for key in _SHOT_KEYS}
    given |= {key: config[key] for key in _DELIMITERS if key in config}
    number = config.get("num_fewshot") or 0
    if shots is not None and config.get("num_fewshot") != 0:
        number = shots
    question = Fields(given, where, names)
    if not number:
        return Prompt(config, question, question)
    # What the examples do not say for themselves they take from the question.
    kept = {key: own[key] for key in (*_SHOT_KEYS, *_DELIMITERS) if own.get(key) is not None}
    drawn = Shots(documents.shots(), number, own.get("sampler") or "default", seed, where)
    split = own.get("split") or config.get("fewshot_split")
    return Prompt(
        config,
        question,
        Fields(given | kept, where, names),
        drawn,
        same_split=split == config.get("test_split"),
    )


def _choices(prompt: Prompt, docs: Sequence[Doc]) -> Iterator[Choice]:
    own, fields = _own(prompt.config), prompt.question
    places_differ = isinstance(fields.text(docs[0]), int)
    for number, doc in enumerate(docs):
        before, choices = prompt.before(doc), fields.choices(doc)
        text, target = fields.text(doc), fields.target(doc)
        if isinstance(text, int) != places_differ:
            raise DataError("documents are of two kinds", where=fields.where, got=text)
        if places_differ:
            continuation = f"{fields.delimiter}{target}"
            candidates = tuple(
                (before + prompt.asked(choice, doc, delimited=False), continuation)
                for choice in choices
            )
            gold: Any = text
        else:
            context = before + prompt.asked(str(text), doc, delimited=True)
            candidates = tuple((context, f"{fields.delimiter}{choice}") for choice in choices)
            gold = choices.index(target) if target in choices else target
        if not isinstance(gold, int) or not 0 <= gold < len(choices) or len(choices) < 2:
            raise DataError(
                "right answer is not one of the choices",
                where=f"{fields.where}, document {number}",
                got=gold,
                expected=f"a place from 0 to {len(choices) - 1}",
            )
        yield Choice(candidates, gold, *_place(doc, own))


def _clozes(prompt: Prompt, docs: Sequence[Doc]) -> Iterator[Cloze]:
    own, fields = _own(prompt.config), prompt.question
    for number, doc in enumerate(docs):
        text, target = fields.text(doc), fields.target(doc)
        if not isinstance(text, str) or not isinstance(target, str) or not target:
            where = f"{fields.where}, document {number}"
            raise DataError("question or answer is no text", where=where, got=(text, target))
        context = prompt.before(doc) + prompt.asked(text, doc, delimited=True)
        yield Cloze(context, target, *_place(doc, own))


def _own(config: Config) -> Mapping[str, Any]:
    metadata = config.get("metadata")
    own = metadata.get(OWN) if isinstance(metadata, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _place(doc: Doc, own: Mapping[str, Any]) -> tuple[str, int]:
    """Return condition and document of an item that we have exported ourselves."""
    return (str(doc.get("condition", "")), int(doc.get("document", -1))) if own else ("", -1)


def _level(name: str, own: Mapping[str, Any]) -> Level:
    given = own.get("level")
    return Level(str(given)) if given in list(Level) else level_of(name)


def level_of(name: str) -> Level:
    """Return the level of the published set that a task is named after, else semantics."""
    from nucleate.corpora.sets.catalogue import CATALOGUE

    known = {published.name: published.level for published in CATALOGUE}
    fitting = [known[key] for key in known if name == key or name.startswith(f"{key}_")]
    return fitting[0] if fitting else Level.SEMANTICS


def _notes(config: Config) -> Iterator[str]:
    measures = [str(entry.get("metric")) for entry in config.get("metric_list") or []]
    unread = [measure for measure in measures if measure not in _MEASURES]
    if unread:
        yield f"lm-eval also reports {', '.join(unread)} of this task, which is not computed here."
