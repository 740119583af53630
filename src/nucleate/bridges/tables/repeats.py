"""Numbers that a table holds twice: exact copies, restarts of a run, or runs that look like one."""

from __future__ import annotations

import numpy as np

from nucleate.bridges.tables.columns import Codes, Floats, Table, combine
from nucleate.bridges.tables.keys import labels_of
from nucleate.bridges.tables.layout import Layout
from nucleate.core import DataError

_MAX_RESTARTS = 20


def without_repeats(
    table: Table, layout: Layout, groups: Codes, at: Floats
) -> tuple[Codes, tuple[str, ...]]:
    """Return which entries to keep, ordered by group and position, and what was left out.

    Args:
        table: The table behind the entries.
        layout: How it was understood.
        groups: Curve of every entry, shape ``(entries,)``.
        at: Position of every entry, same shape.

    Raises:
        DataError: One metric of one run has several values at one position, and the rows are no
            continuation of an earlier attempt: numbers are never averaged without a word.
    """
    flat = layout.flat
    order = np.lexsort((flat.rows, at, groups))
    again = (np.diff(groups[order]) == 0) & (np.diff(at[order]) == 0)
    if not again.any():
        return order, ()
    values = flat.values[order]
    differs = again & (np.diff(values) != 0)
    last = order[np.append(~again, True)]
    if not differs.any():
        return last, (f"{int(again.sum()):,} values that repeat others exactly were left out.",)
    note = (
        f"{int(again.sum()):,} readings were replaced by later ones at the same {layout.axis.name}"
    )
    if table.replaces:
        return last, (f"{note}: {table.replaces}.",)
    for group in np.unique(groups[order][1:][differs]):
        own = np.flatnonzero(groups == group)
        if not _is_restart(at[own[np.argsort(flat.rows[own], kind="stable")]]):
            raise _question(table, layout, groups, at, int(order[1:][differs][0]))
    return last, (f"{note}: the run seems to have been restarted; its last attempt counts.",)


def _is_restart(at: Floats) -> bool:
    """Whether positions in the order of writing are attempts of one run.

    Every further attempt begins after the first position, and the last goes on beyond all others.
    """
    back = np.flatnonzero(np.diff(at) <= 0) + 1
    if not 0 < len(back) <= _MAX_RESTARTS:
        return False
    lengths = np.diff(np.concatenate(([0], back, [len(at)])))
    repeated = len(at) - len(np.unique(at))
    return bool(
        (at[back] > at[0]).all()
        and (lengths > 1).all()
        and at[-1] >= at.max()
        and repeated < 0.5 * len(at)
    )


def _question(table: Table, layout: Layout, groups: Codes, at: Floats, entry: int) -> DataError:
    flat = layout.flat
    same = (groups == groups[entry]) & (at == at[entry])
    run = flat.run_names[flat.runs[entry]]
    candidates = _candidates(table, layout, groups, at)
    return DataError(
        f"rows repeat: {int(same.sum())} values of {flat.metric_names[flat.metrics[entry]]!r} at "
        f"{layout.axis.name} {at[entry]:.12g}" + (f" of run {run!r}" if run else ""),
        where=table.source,
        fix=(
            "tell runs apart with --run COLUMN" + f": {', '.join(candidates[:4])}"
            if candidates
            else "add a column that tells the runs apart and name it with --run COLUMN"
        ),
    )


def _candidates(table: Table, layout: Layout, groups: Codes, at: Floats) -> list[str]:
    """Return columns that would tell all rows apart, first those that do so alone."""
    roles, rows = layout.roles, layout.flat.rows
    used = {*roles.measures, *roles.metric, roles.stderr}
    used |= {name for found in roles.positions.values() for name in found}
    places = combine(groups, np.unique(at, return_inverse=True)[1])
    scored = []
    for name, column in table.columns.items():
        codes = labels_of(column).codes[rows]
        if name in used or not 1 < len(np.unique(codes)) <= 0.5 * len(codes):
            continue
        told = len(np.unique(combine(places, codes)))
        if told > len(np.unique(places)):
            scored.append((-told, name))
    return [name for _, name in sorted(scored, key=lambda each: each[0])]
