"""Item sets at hand: published ones, to be written as tasks; those of tasks, as a suite to ask."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.core import UserError
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.catalogue import CATALOGUE
from nucleate.corpora.sets.published import load
from nucleate.corpora.sets.sample import take
from nucleate.probes.item_suite import item_suite as task_suite


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
            fix = f"did you mean {near[0]!r}?" if near else "docs/suite.md lists them"
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


__all__ = ["published_sets", "read_tasks", "task_suite"]
