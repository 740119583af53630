"""Tables as JSON lines: one object a line, as most training loops log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.records import flattened, table_of
from nucleate.bridges.tables.roles import demand_position
from nucleate.bridges.tables.streams import lines_of
from nucleate.core import DataError

_LOOK = 200
"""Records that must show a column of training steps before the rest is read."""

_MAX_BAD = 0.01


def read_json_lines(path: Path, choice: ColumnChoice) -> Table:
    """Read one JSON object a line.

    A last line that was cut off is left out with a note.

    Raises:
        DataError: Too many lines are no JSON objects, or no record has training steps.
    """
    bad: list[int] = []
    records = _records(path, bad)
    first = list(islice(records, _LOOK))
    keys = dict.fromkeys(key for record in first for key in flattened(record))
    if not keys:
        raise DataError("no records", where=path, expected="one JSON object a line")
    demand_position(keys, choice, str(path))
    table = table_of(chain(first, records), str(path))
    if not bad:
        return table
    if len(bad) > max(1, _MAX_BAD * table.num_rows):
        raise DataError(
            f"{len(bad):,} lines are no JSON objects",
            where=f"{path} line {bad[0]}",
            expected="one JSON object a line",
        )
    note = f"{len(bad):,} lines that are no JSON objects were left out."
    return Table(table.source, table.columns, (note,))


def _records(path: Path, bad: list[int]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            yield record
        else:
            bad.append(number)
            if len(bad) > 1000:
                raise DataError("holds no JSON lines", where=f"{path} line {bad[0]}")
