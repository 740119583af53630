"""From records, one dictionary per row, to columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nucleate.bridges.tables.columns import Table, column_of
from nucleate.bridges.tables.streams import reject_overlong

_DEPTH = 4


def flattened(record: Mapping[str, Any], prefix: str = "", depth: int = _DEPTH) -> dict[str, Any]:
    """Return a record without nesting: ``{"train": {"loss": 1}}`` → ``{"train/loss": 1}``.

    Lists, and what lies deeper than four levels, are left out.
    """
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}".strip()
        if isinstance(value, Mapping):
            if depth > 1:
                flat |= flattened(value, f"{name}/", depth - 1)
        elif not isinstance(value, list):
            flat[name] = value
    return flat


def table_of(
    records: Iterable[Mapping[str, Any]],
    source: str,
    *,
    notes: tuple[str, ...] = (),
    replaces: str = "",
) -> Table:
    """Make a table of records, any of which may lack keys; see `Table` for the rest."""
    entries: dict[str, list[Any]] = {}
    count = 0
    for record in records:
        nested = any(isinstance(value, (dict, list)) for value in record.values())
        for key, value in (flattened(record) if nested else record).items():
            column = entries.get(key)
            if column is None:
                column = entries[key] = []
                reject_overlong(len(entries), source)
            if len(column) < count:
                column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
    for column in entries.values():
        column.extend([None] * (count - len(column)))
    columns = {name: column_of(column) for name, column in entries.items()}
    return Table(source, columns, notes, replaces)
