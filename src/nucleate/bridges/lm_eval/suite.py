"""Item sets at hand: published ones, to be written as tasks; those of tasks, as a suite to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.core import Level, UserError
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.items import Choice, Cloze
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.catalogue import CATALOGUE
from nucleate.corpora.sets.published import load
from nucleate.corpora.sets.sample import take
from nucleate.probes.behaviour.choice import ChoiceItems, choice_probe
from nucleate.probes.behaviour.cloze import ClozeItems, cloze_probe
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite


def task_suite(sets: Sequence[ItemSet], tokenizer: Any, *, context: int = 2048) -> Suite:
    """Return a suite that asks item sets as lm-eval would; of each level the first set is primary.

    Args:
        sets: Of choices or clozes, as `read_tasks` gives them.
        tokenizer: The `transformers` tokenizer that the models to be measured share.
        context: Longest sequence, in tokens.

    Raises:
        DataError: A set has no items, or one of them cannot be asked.

    Example:
        >>> task_suite(read_tasks("tasks/piqa.yaml"), tokenizer)  # doctest: +SKIP
    """
    parts: list[tuple[Probe, Any]] = []
    primary: dict[Level, str] = {}
    for item_set in sets:
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
    return Suite("lm-eval tasks", tuple(parts), primary, notes)


def published_sets(
    names: Iterable[str] = (),
    *,
    data: str | Path | None = None,
    items: int | None = None,
    seed: int = 0,
) -> list[ItemSet]:
    """Return the published sets that a data folder holds, by name or all of them.

    Args:
        names: Names of the catalogue; all sets that are there where none is given.
        data: The data folder; where None, the one that `find_data_folder` finds.
        items: Most items of a set, taken evenly over its conditions.
        seed: Seed of that choice.

    Raises:
        UserError: A set is not known or not there, or there is none at all.
    """
    folder = Path(data) if data is not None else find_data_folder()
    wanted, known = list(names), {published.name: published for published in CATALOGUE}
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise UserError(f"no set called {name!r}", fix=fix)
    found: list[ItemSet] = []
    for name in wanted or known:
        item_set = load(known[name], folder)
        if item_set is not None:
            found.append(item_set if items is None else _some(item_set, items, seed))
        elif wanted:
            fix = f"put it into a folder {name} of the data folder ($NUCLEATE_DATA)"
            raise UserError(f"set {name} is not there", where=folder or "no data folder", fix=fix)
    if not found:
        raise UserError(
            "no set is there", where=folder or "no data folder", fix="name it: --data FOLDER"
        )
    return found


def _some(item_set: ItemSet, number: int, seed: int) -> ItemSet:
    conditions = [item.condition for item in item_set.items]
    chosen, _ = take(item_set.items, conditions, number, seed=seed, name=item_set.name)
    return ItemSet(
        item_set.name,
        item_set.level,
        item_set.source,
        item_set.licence,
        tuple(chosen),
        item_set.notes,
    )


def _vary(item_set: ItemSet) -> bool:
    """Whether options of one item are different texts, so that their lengths matter."""
    return any(
        isinstance(item, Choice) and len({text for _, text in item.candidates}) > 1
        for item in item_set.items
    )


__all__ = ["published_sets", "read_tasks", "task_suite"]
