"""From key columns to run names and metric names that are short and never ambiguous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nucleate.bridges.tables import names
from nucleate.bridges.tables.columns import Codes, Column, Labels, combine, num_distinct


def labels_of(column: Column) -> Labels:
    """Return a key column as labels."""
    return column if isinstance(column, Labels) else column.as_labels()


def needed(
    keys: Sequence[str],
    columns: Mapping[str, Labels],
    *,
    given: Codes | None = None,
    keep: Sequence[str] = (),
) -> list[str]:
    """Return the keys that say something which the others do not say.

    A key is left out when it is constant, or when a more telling one determines it (the name of a
    model its number of parameters).

    Args:
        keys: Candidates, the most telling first.
        columns: Labels by column.
        given: Codes that may determine a candidate too, shape ``(rows,)``.
        keep: Candidates that stay whatever they say.
    """
    if not keys:
        return []
    codes = [columns[name].codes for name in keys]
    every = codes if given is None else [*codes, given]
    _, first = np.unique(combine(*every), return_index=True)
    reduced = [each[first] for each in every]  # one row per combination
    more_telling = reduced[len(keys) :]
    kept = []
    for name, own in zip(keys, reduced, strict=False):
        silent = num_distinct(own) == 1 or any(_determines(each, own) for each in more_telling)
        if name in keep or not silent:
            kept.append(name)
            more_telling.append(own)
    return kept


def _determines(one: Codes, other: Codes) -> bool:
    return num_distinct(combine(one, other)) == num_distinct(one)


def ranked(keys: Sequence[str], order: Sequence[str]) -> list[str]:
    """Return keys in the customary order; those without a place come last, as they stand."""

    def rank(name: str) -> int:
        return order.index(names.plain(name)) if names.plain(name) in order else len(order)

    return sorted(keys, key=rank)


def joined(
    keys: Sequence[str], columns: Mapping[str, Labels], by: str, rows: int
) -> tuple[Codes, list[str]]:
    """Name every combination of keys.

    Labels that read as names stand alone, numbers and truth values with their column
    (``seed=1``). Where that leaves two combinations with one name, every label gets its column.

    Args:
        keys: Columns, in the order of the name.
        columns: Labels by column.
        by: What stands between labels.
        rows: Number of rows.

    Returns:
        Codes of the combinations, shape ``(rows,)``, and the name of each.
    """
    if not keys:
        return np.zeros(rows, dtype=np.int64), [""]
    codes = combine(*(columns[name].codes for name in keys))
    _, first = np.unique(codes, return_index=True)
    for always in (False, True):
        texts = [
            by.join(filter(None, (_label(name, columns[name], row, always) for name in keys)))
            for row in first
        ]
        if len(set(texts)) == len(texts):
            break
    if len(texts) > 1 and "" in texts:  # truth values that are all false
        row = first[texts.index("")]
        texts[texts.index("")] = by.join(_label(name, columns[name], row, True) for name in keys)
    return codes, texts


def _label(name: str, column: Labels, row: int, always: bool) -> str:
    code = int(column.codes[row])
    text = column.names[code] if code >= 0 else ""
    if always:
        return f"{name}={text}"
    if text in ("True", "False"):
        return name if text == "True" else ""
    number = text.replace(".", "", 1).replace("-", "", 1).isdigit()
    return f"{name}={text}" if number and text else text
