"""Item sets as a suite: each asked as it stands, by choices or by clozes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nucleate.core import Level
from nucleate.corpora.items import Choice, Cloze
from nucleate.corpora.itemsets import ItemSet
from nucleate.probes.behaviour.choice import ChoiceItems, choice_probe
from nucleate.probes.behaviour.cloze import ClozeItems, cloze_probe
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite


def item_suite(sets: Sequence[ItemSet], tokenizer: Any, *, context: int = 2048) -> Suite:
    """Return a suite that asks item sets as lm-eval would; of each level the first set is primary.

    Args:
        sets: Of choices or clozes, as `nucleate.bridges.lm_eval.tasks.read_tasks` gives them.
        tokenizer: The `transformers` tokenizer that the models to be measured share.
        context: Longest sequence, in tokens.

    Raises:
        DataError: A set has no items, or one of them cannot be asked.

    Example:
        >>> item_suite(read_tasks("tasks/piqa.yaml"), tokenizer)  # doctest: +SKIP
    """
    parts: list[tuple[Probe, Any]] = []
    primary: dict[Level, str] = {}
    for item_set in map(_plain, sets):
        if isinstance(item_set.items[0], Cloze):
            clozes = ClozeItems.of(item_set, tokenizer, context=context)
            parts.append((cloze_probe(clozes), clozes))
        else:
            choices = ChoiceItems.of(
                item_set, tokenizer, context=context, normalise=_vary(item_set)
            )
            parts.append((choice_probe(choices), choices))
        several = len({item.condition for item in item_set.items}) > 1
        primary.setdefault(item_set.level, f"{item_set.name}.all" if several else item_set.name)
    notes = tuple(f"{item_set.name}: {note}" for item_set in sets for note in item_set.notes)
    return Suite("item sets", tuple(parts), primary, notes)


def key_of(sets: Sequence[ItemSet]) -> str:
    """Return a hash of everything that item sets ask; it names them in a run folder."""
    digest = hashlib.sha256()
    for item_set in sets:
        digest.update(repr((item_set.name, item_set.level, item_set.items)).encode())
    return digest.hexdigest()[:16]


def _plain(item_set: ItemSet) -> ItemSet:
    """Return a set without conditions where all items share one: the set's own name says it."""
    if len({item.condition for item in item_set.items}) != 1:
        return item_set
    return replace(item_set, items=tuple(replace(item, condition="") for item in item_set.items))


def _vary(item_set: ItemSet) -> bool:
    """Whether options of one item are different texts, so that their lengths matter."""
    return any(
        isinstance(item, Choice) and len({text for _, text in item.candidates}) > 1
        for item in item_set.items
    )
