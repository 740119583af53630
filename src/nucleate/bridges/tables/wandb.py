"""Columns of a Weights & Biases chart export: ``RUN - METRIC``, with its minimum and maximum."""

from __future__ import annotations

import re
from dataclasses import replace

from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.names import axis_of

_EXTREME = re.compile(r"(?P<base>.+ - .+)__(?:MIN|MAX)$")
_SERIES = re.compile(r"(?P<run>.+) - (?P<metric>.+)$")


def as_chart_export(table: Table) -> Table:
    """Return the table with a run for each of its series; any other table as it is.

    The lowest and highest value within a bin of the chart are left out: they are no readings.
    """
    bases = {match["base"] for name in table.columns if (match := _EXTREME.match(name))}
    every = all(_SERIES.match(name) for name in table.columns if not axis_of(name))
    if not (bases & set(table.columns) or every):
        return table
    kept = {name: column for name, column in table.columns.items() if not _EXTREME.match(name)}
    series = {name: match for name in kept if (match := _SERIES.match(name))}
    for name in [name for name, match in series.items() if axis_of(match["metric"])]:
        del kept[name], series[name]  # `RUN - _step` repeats the first column
    aliases = {name: (match["run"], match["metric"]) for name, match in series.items()}
    note = "A chart export of Weights & Biases; its minima and maxima were left out."
    return replace(table, columns=kept, notes=(*table.notes, note), aliases=aliases)
