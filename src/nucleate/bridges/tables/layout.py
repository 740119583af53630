"""From a table of any layout, long or wide, to one flat list of measured numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from nucleate.bridges.tables import keys, names
from nucleate.bridges.tables.axis import Axis, choose_axis
from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Codes, Floats, Numbers, Table
from nucleate.bridges.tables.roles import Roles, assign


@dataclass(frozen=True, slots=True)
class Flat:
    """One measured number per entry; all arrays have shape ``(entries,)``.

    Attributes:
        rows: Row of the table that holds it.
        runs, metrics: Codes into `run_names` and `metric_names`.
        values: The numbers, all finite.
        missing: Numbers that were missing or not finite.
    """

    rows: Codes
    runs: Codes
    metrics: Codes
    values: Floats
    run_names: list[str]
    metric_names: list[str]
    missing: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A table understood: its numbers, where they stand, and the sentences that say how."""

    flat: Flat
    axis: Axis
    roles: Roles
    notes: tuple[str, ...]


def understand(table: Table, choice: ColumnChoice) -> Layout:
    """Recognise runs, metrics and positions of a table.

    Raises:
        DataError: See `nucleate.bridges.tables.roles.assign`.
    """
    roles = assign(table, choice)
    labels = {
        name: keys.labels_of(table.columns[name])
        for name in (*roles.runs, *roles.measured, *roles.metric)
    }
    run_keys = keys.needed(keys.ranked(roles.runs, names.RUNS), labels, keep=choice.run)
    said = [*keys.ranked(roles.measured, names.MEASURED), *roles.metric]
    first = [*choice.metric, *(name for name in said if name not in choice.metric)]
    run_codes, run_names = keys.joined(run_keys, labels, "/", table.num_rows)
    metric_keys = keys.needed(first, labels, given=run_codes, keep=choice.metric)
    # A table of one metric still calls it by its name.
    metric_keys = [name for name in said if name in metric_keys or name in roles.metric]
    metric_codes, metric_names = keys.joined(metric_keys, labels, ".", table.num_rows)
    axis = choose_axis(table, roles, run_codes)
    flat = _flatten(table, roles, (run_codes, run_names), (metric_codes, metric_names))
    return Layout(flat, axis, roles, _notes(roles, axis, run_keys, metric_keys, table))


def _flatten(
    table: Table, roles: Roles, runs: tuple[Codes, list[str]], metrics: tuple[Codes, list[str]]
) -> Flat:
    """Put all columns of measured numbers below each other."""
    run_index = {name: code for code, name in enumerate(runs[1])}
    metric_index: dict[str, int] = {}
    parts: list[tuple[Codes, Codes, Codes, Floats]] = []
    missing = 0
    for name in roles.measures:
        column = table.columns[name]
        assert isinstance(column, Numbers)  # roles hold only columns of numbers
        rows = np.flatnonzero(np.isfinite(column.values))
        prefix, measure = (table.aliases or {}).get(name, ("", name))
        alone = len(roles.measures) == 1 and (roles.metric or names.plain(name) in names.VALUE)
        # A sparse column of a wide table was logged now and then: its gaps are nothing lost.
        dense = len(rows) > 0.5 * len(column.values) or len(roles.measures) == 1
        lost = ~np.isfinite(column.values) if dense else np.isinf(column.values)
        missing += int(lost.sum())
        full = [_metric(stem, "" if alone and stem else measure) for stem in metrics[1]]
        numbered = [metric_index.setdefault(each, len(metric_index)) for each in full]
        own_metrics = np.array(numbered, dtype=np.int64)[metrics[0][rows]]
        own_runs = runs[0][rows]
        if prefix:
            named = [f"{each}/{prefix}" if each else prefix for each in runs[1]]
            codes = [run_index.setdefault(each, len(run_index)) for each in named]
            own_runs = np.array(codes, dtype=np.int64)[own_runs]
        parts.append((rows, own_runs, own_metrics, column.values[rows]))
    joined = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return Flat(
        joined[0], joined[1], joined[2], joined[3], list(run_index), list(metric_index), missing
    )


def _metric(stem: str, measure: str) -> str:
    """Join the keys and the measure: ``acc,none`` of lm-evaluation-harness is ``acc``."""
    name = f"{stem}.{measure}" if stem and measure else stem or measure or "value"
    return re.sub(r",none$", "", name)


def _notes(
    roles: Roles, axis: Axis, run_keys: list[str], metric_keys: list[str], table: Table
) -> tuple[str, ...]:
    notes = [axis.note]
    if run_keys:
        notes.append(f"Runs are told apart by {_listed(run_keys)}.")
    if len(metric_keys) > 1 or (metric_keys and not roles.metric):
        notes.append(f"Metric names are made of {_listed(metric_keys)}.")
    if unsure := [name for name in metric_keys if name in roles.unlisted]:
        notes.append(f"If {_listed(unsure)} tells runs apart, say --run {unsure[0]}.")
    if roles.lr:
        notes.append(f"Column {roles.lr!r} is the learning rate.")
    left_out = [*roles.idle, *axis.idle]
    if left_out:
        notes.append(f"Columns that are no metrics were left out: {_listed(left_out)}.")
    for name in roles.measures:
        column = table.columns[name]
        if isinstance(column, Numbers) and column.foreign:
            notes.append(f"{column.foreign:,} entries of column {name!r} are no numbers.")
    return tuple(notes)


def _listed(found: list[str]) -> str:
    if len(found) > 6:
        return f"{', '.join(found[:6])} and {len(found) - 6} more"
    return ", ".join(found[:-1]) + " and " + found[-1] if len(found) > 1 else found[0]
