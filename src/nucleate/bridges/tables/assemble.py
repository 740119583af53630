"""From a table to a CurveBook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Codes, Floats, Labels, Numbers, Table, combine
from nucleate.bridges.tables.companions import Companions, Trace, settle
from nucleate.bridges.tables.layout import Layout, understand
from nucleate.bridges.tables.recount import recounted
from nucleate.bridges.tables.repeats import without_repeats
from nucleate.core import Curve, CurveBook, DataError, Level, Step

_MAX_POSITION = 2.0**63
"""Larger positions count nothing that was ever trained."""

_TOLD_APART = 2.0**53
"""Whole numbers from here on are not all told apart by floats."""

_MAX_VALUE = 1e300
"""Beyond it the difference of two values may not be finite."""

Traces = dict[str, dict[str, Trace]]


def book_of(table: Table, choice: ColumnChoice) -> CurveBook:
    """Turn a table into curves.

    Args:
        table: Any table of training metrics.
        choice: Columns that the user named.

    Raises:
        DataError: The table holds no curves, or it cannot be known which numbers belong together.
    """
    if table.metric and not choice.metric:
        choice = replace(choice, metric=table.metric)
    layout = understand(table, choice)
    placed, outside = _placed(layout)
    too_large = _beyond(layout, placed)
    placed = placed[~too_large]
    groups = combine(layout.flat.runs, layout.flat.metrics)
    at = layout.axis.at[layout.flat.rows]
    groups, at = groups[placed], at[placed]
    layout = _restricted(layout, placed)
    _refuse_too_far(table, layout, groups, at)
    kept, repeated = without_repeats(table, layout, groups, at)
    traces = _traces(table, layout, groups, kept)
    counted = recounted(traces) if layout.axis.name == "step" else ""
    axis = "tokens" if counted else layout.axis.name
    companions = [settle(metrics) for metrics in traces.values()]
    single = _drop_single(traces)
    beyond = int(too_large.sum())
    if beyond and not any(traces.values()):
        raise DataError(
            f"holds no values below {_MAX_VALUE:.0e}",
            where=table.source,
            fix="divide their column by a power of ten",
        )
    if not any(traces.values()):
        raise DataError(
            "no curves: every metric has a single reading" if single else "no numbers to read",
            where=table.source,
            expected="two positions or more",
            fix="name the column of training steps with --step COLUMN",
        )
    facts = _Facts(table, layout, axis)
    steps: dict[bytes, tuple[Step, ...]] = {}
    runs = {
        run: {name: facts.curve(name, trace, steps) for name, trace in metrics.items()}
        for run, metrics in traces.items()
        if metrics
    }
    notes = (*layout.notes, *table.notes, *repeated)
    notes += (f"Positions were counted in tokens instead, by metric {counted!r}.",) * bool(counted)
    if beyond:
        notes += (
            f"{beyond:,} values beyond ±{_MAX_VALUE:.0e} were left out; divide their column by a "
            "power of ten.",
        )
    notes += tuple(_left_out(layout.flat.missing, outside, single, companions))
    return CurveBook(table.source, axis, runs, notes)


def _placed(layout: Layout) -> tuple[Codes, int]:
    """Return the entries that have a position, and how many have none."""
    at = layout.axis.at[layout.flat.rows]
    good = (at >= 0) & (at < _MAX_POSITION)
    return np.flatnonzero(good), int(np.sum(~good))


def _beyond(layout: Layout, entries: Codes) -> NDArray[np.bool_]:
    """Return which of the entries are too large to be reckoned with."""
    found: NDArray[np.bool_] = np.abs(layout.flat.values[entries]) > _MAX_VALUE
    return found


def _refuse_too_far(table: Table, layout: Layout, groups: Codes, at: NDArray[np.float64]) -> None:
    """Refuse positions so large that neighbours fall on each other.

    Args:
        table, layout: The table.
        groups, at: Of every value with a position: the curve that it is on, and where.

    Raises:
        DataError: Most positions are beyond 2^53, and some of one curve are equal that may have
            differed.
    """
    known = layout.axis.at[np.isfinite(layout.axis.at)]
    far = known[np.abs(known) >= _TOLD_APART]
    if 2 * len(far) <= len(known):
        return
    on_curves = np.column_stack([groups, at])[at >= _TOLD_APART]
    unique = len(np.unique(on_curves, axis=0))
    if unique < len(on_curves) or (far >= _MAX_POSITION).any():
        raise DataError(
            f"positions of {layout.axis.name!r} are too large to be told apart",
            where=table.source,
            got=float(far[0]),
            expected="below 2^53, 9e15",
            fix="take the first one off all of them, or count in thousands",
        )


def _restricted(layout: Layout, entries: Codes) -> Layout:
    flat = layout.flat
    part = replace(
        flat,
        rows=flat.rows[entries],
        runs=flat.runs[entries],
        metrics=flat.metrics[entries],
        values=flat.values[entries],
    )
    return replace(layout, flat=part)


def _traces(table: Table, layout: Layout, groups: Codes, kept: Codes) -> Traces:
    """Cut the ordered entries into one trace per run and metric, in the order of the table."""
    flat, axis, roles = layout.flat, layout.axis, layout.roles
    beside = {
        part: column.values
        for part, name in (("se", roles.stderr), ("counts", roles.n), ("lr", roles.lr))
        if name and isinstance(column := table.columns[name], Numbers)
    }
    missing = np.full(table.num_rows, np.nan)
    cuts = np.flatnonzero(np.diff(groups[kept])) + 1
    pieces = np.split(kept, cuts) if len(kept) else []
    found: Traces = {}
    for entries in sorted(pieces, key=lambda entries: int(entries.min())):
        rows = flat.rows[entries]
        run, metric = (
            flat.run_names[flat.runs[entries[0]]],
            flat.metric_names[flat.metrics[entries[0]]],
        )
        found.setdefault(run, {})[metric] = Trace(
            at=axis.at[rows],
            values=flat.values[entries],
            steps=axis.steps[rows],
            tokens=axis.tokens[rows],
            se=beside.get("se", missing)[rows],
            counts=beside.get("counts", missing)[rows],
            lr=beside.get("lr", missing)[rows],
        )
    return found


def _drop_single(traces: Traces) -> int:
    """Leave out metrics with one reading: nothing can change there."""
    single = [
        (run, name)
        for run, metrics in traces.items()
        for name, trace in metrics.items()
        if len(trace.at) < 2
    ]
    for run, name in single:
        del traces[run][name]
    return len(single)


class _Facts:
    """What a table says of its metrics beside their numbers: chance, unit, level."""

    def __init__(self, table: Table, layout: Layout, axis: str) -> None:
        flat = layout.flat
        first = {}
        metrics, entries = np.unique(flat.metrics, return_index=True)
        for metric, entry in zip(metrics, entries, strict=True):
            first[flat.metric_names[metric]] = int(flat.rows[entry])
        self._first, self._columns, self._axis = first, table.columns, axis

    def curve(self, name: str, trace: Trace, known: dict[bytes, tuple[Step, ...]]) -> Curve:
        """Make the Curve of a trace; metrics measured together share their Steps."""
        parts = (trace.at, trace.steps, trace.tokens, trace.lr)
        key = b"".join(part.tobytes() for part in parts)
        if key not in known:
            known[key] = tuple(_steps(trace))
        plain = self._axis == "tokens" and bool((trace.at == np.floor(trace.at)).all())
        counted = np.isfinite(trace.counts).any()
        return Curve(
            metric=name,
            level=self._level(name),
            unit=self._text("unit", name),
            chance=self._number("chance", name),
            steps=known[key],
            values=tuple(trace.values.tolist()),
            se=tuple(np.where(trace.se >= 0, trace.se, np.nan).tolist()),
            counts=tuple(_whole(trace.counts)) if counted else (),
            axis=self._axis,
            positions=() if plain else tuple(trace.at.tolist()),
        )

    def _level(self, name: str) -> Level:
        text = self._text("level", name)
        return Level(text) if text in set(Level) else Level.COOCCURRENCE

    def _text(self, column: str, name: str) -> str:
        found = self._columns.get(column)
        if not isinstance(found, Labels) or name not in self._first:
            return ""
        code = int(found.codes[self._first[name]])
        return found.names[code] if code >= 0 else ""

    def _number(self, column: str, name: str) -> float:
        found = self._columns.get(column)
        if not isinstance(found, Numbers) or name not in self._first:
            return float("nan")
        return float(found.values[self._first[name]])


def _steps(trace: Trace) -> Iterator[Step]:
    rates = np.where(np.isfinite(trace.lr), trace.lr, 0.0).tolist()
    for step, tokens, lr in zip(_whole(trace.steps), _whole(trace.tokens), rates, strict=True):
        yield Step(step=step, tokens=tokens, lr=lr)


def _whole(values: Floats) -> list[int]:
    return [round(value) for value in np.where(np.isfinite(values), values, 0.0).tolist()]


def _left_out(missing: int, outside: int, single: int, companions: list[Companions]) -> list[str]:
    notes = []
    if missing:
        notes.append(f"{missing:,} values are missing or not finite and were left out.")
    if outside:
        notes.append(f"{outside:,} values have no usable position and were left out.")
    if single:
        notes.append(f"{single:,} metrics with a single reading were left out.")
    for part, text in (
        ("stderr", "Standard errors were read from"),
        ("counts", "Numbers of items were read from"),
        ("lr", "The learning rate was read from"),
        ("idle", "Metrics that are positions or clocks were left out:"),
    ):
        names = list(dict.fromkeys(name for each in companions for name in getattr(each, part)))
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            notes.append(f"{text} {', '.join(names[:4])}{more}.")
    return notes
