"""Decide which part every column of a table plays, or ask one question."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from nucleate.bridges.tables import names
from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Column, Labels, Numbers, Table, column_of, length
from nucleate.core import DataError
from nucleate.core.errors import Words

_LONG_TEXT = 80
"""Labels longer than this on average are texts, not names."""


@dataclass(slots=True)
class Roles:
    """The part of every column.

    Attributes:
        positions: Candidates for the position along training, by axis, preferred first.
        measures: Columns of measured numbers.
        metric: The column that names the measure in a long table.
        measured, runs: Keys that say what was measured, and of which run.
        unlisted: Keys among `measured` whose name says nothing.
        idle: Columns without a part.
    """

    positions: dict[str, list[str]] = field(default_factory=dict)
    measures: list[str] = field(default_factory=list)
    metric: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    stderr: str = ""
    n: str = ""
    lr: str = ""
    idle: list[str] = field(default_factory=list)


def demand_position(columns: Iterable[str], choice: ColumnChoice, source: str) -> None:
    """Refuse a table without any column of training steps.

    Raises:
        DataError: No column is called like a position, and none was named.
    """
    known = list(columns)
    if not choice.step and not any(names.axis_of(name) for name in known):
        raise DataError(
            "no column of training steps",
            where=source,
            got=", ".join(known),
            expected="step, tokens, epoch …",
            fix="name it with --step COLUMN",
        )


def assign(table: Table, choice: ColumnChoice) -> Roles:
    """Give every column its part.

    Args:
        table: The table.
        choice: What the user said; it comes before every rule.

    Raises:
        DataError: A named column does not exist, steps or values are missing or no numbers, or two
            columns may hold the values.
    """
    choice = _existing(choice, table)
    demand_position(table.columns, choice, table.source)
    roles = Roles(stderr=choice.stderr, n=choice.n, lr=choice.lr)
    taken = {name for wishes in choice.named().values() for name in wishes}
    if choice.step:
        axis = names.axis_of(choice.step)
        roles.positions = {axis[0] if axis else names.plain(choice.step): [choice.step]}
        if not isinstance(as_numbers(table.columns[choice.step]), Numbers):
            raise _text_for_numbers(table, choice.step, "--step")
    roles.metric, roles.runs = list(choice.metric), list(choice.run)
    roles.measures = list(choice.value)
    rest = [name for name in table.columns if name not in taken]
    rest = _take_positions(table, rest, roles, asked=bool(choice.step))
    rest = _take_values(table, rest, roles)
    _sort_the_rest(table, rest, roles)
    _check_measures(table, roles)
    return roles


def as_numbers(column: Column) -> Numbers | None:
    """Return a column as numbers, if it holds any (``step1000`` counts as one)."""
    return column if isinstance(column, Numbers) else column.as_numbers()


def _existing(choice: ColumnChoice, table: Table) -> ColumnChoice:
    """Return the choice in the table's own spelling."""
    spelled = {name.lower().strip(): name for name in reversed(list(table.columns))}
    spelled |= {name: name for name in table.columns}

    def find(name: str, option: str) -> str:
        found = spelled.get(name) or spelled.get(name.lower().strip())
        if found is None:
            close = difflib.get_close_matches(name, table.columns, n=1)
            shown = f"{option} {close[0]}" if close else f"{option}: {', '.join(table.columns)}"
            raise DataError(
                f"no column {name!r}", where=table.source, fix=f"try {shown}"[:120]
            ) from None
        return found

    def all_of(wishes: tuple[str, ...], option: str) -> tuple[str, ...]:
        return tuple(find(name, option) for name in wishes)

    return ColumnChoice(
        step=find(choice.step, "--step") if choice.step else "",
        metric=all_of(choice.metric, "--metric-column"),
        value=all_of(choice.value, "--value"),
        run=all_of(choice.run, "--run"),
        stderr=find(choice.stderr, "--stderr") if choice.stderr else "",
        n=find(choice.n, "--n") if choice.n else "",
        lr=find(choice.lr, "--lr") if choice.lr else "",
    )


def _take_positions(table: Table, rest: list[str], roles: Roles, *, asked: bool) -> list[str]:
    """Take the columns called like positions; the one that the user named stays alone."""
    called = [(name, found) for name in rest if (found := names.axis_of(name))]
    usable = [
        (found[1], found[0], name)
        for name, found in called
        if (column := as_numbers(table.columns[name])) is not None
        and (np.isfinite(column.values) & (column.values > 0)).any()
    ]
    if not asked:
        ranked = sorted(usable, key=lambda each: each[0])
        for axis in names.POSITIONS:
            if own := [name for _, each, name in ranked if each == axis]:
                roles.positions[axis] = own
    if not roles.positions and not called:
        raise DataError(
            "no column of training steps is left: another option has taken it",
            where=table.source,
            got=Words(", ".join(table.columns)),
            fix="name each column once, that of the steps with --step",
        )
    if not roles.positions:
        raise _text_for_numbers(table, called[0][0], "--step")
    positions = {name for found in roles.positions.values() for name in found}
    roles.idle += [name for name, _ in called if name not in positions]
    called_names = {name for name, _ in called}
    return [name for name in rest if name not in called_names]


def _take_values(table: Table, rest: list[str], roles: Roles) -> list[str]:
    """Recognise a long table: a column of metric names beside one column of values."""
    if not roles.lr and (found := [name for name in rest if names.is_lr(name)]):
        numbers = [name for name in found if isinstance(table.columns[name], Numbers)]
        roles.lr = numbers[0] if numbers else ""
        roles.idle += [name for name in found if name != roles.lr]
        rest = [name for name in rest if name not in found]
    rest = _take_one(table, rest, roles, "stderr", names.STDERR)
    rest = _take_one(table, rest, roles, "n", names.COUNT)
    metric = roles.metric or _first_called(table, rest, names.METRIC, Labels)[:1]
    if not metric:
        return rest
    left = [name for name in rest if name not in metric]
    values = roles.measures or _first_called(table, left, names.VALUE, None)
    if not values:
        free = [
            name
            for name in left
            if isinstance(table.columns[name], Numbers) and part_of(name) == "measure"
        ]
        values = free if len(free) == 1 else []
    if len(values) > 1 and not roles.measures:
        raise DataError(
            f"two columns may hold the values: {values[0]}, {values[1]}",
            where=table.source,
            fix="choose with --value COLUMN",
        )
    weak = not roles.metric and names.plain(metric[0]) == "name"
    if not values or (weak and not _first_called(table, left, names.VALUE, None)):
        return rest  # a wide table with one key called `name` or `tag`
    roles.metric, roles.measures = metric, values
    return [name for name in left if name not in values]


def _take_one(
    table: Table, rest: list[str], roles: Roles, part: str, called: frozenset[str]
) -> list[str]:
    """Take the first column of numbers with one of the names, unless the user named one."""
    found = [
        name
        for name in rest
        if names.plain(name) in called and isinstance(table.columns[name], Numbers)
    ]
    if not found:
        return rest
    if getattr(roles, part):
        roles.idle += found
    else:
        setattr(roles, part, found[0])
        roles.idle += found[1:]
    return [name for name in rest if name not in found]


def part_of(name: str) -> str:
    """Return what a name alone says of its column: ``run``, ``measured``, ``idle``, ``measure``."""
    if names.plain(name) in names.RUNS:
        return "run"
    if names.plain(name) in names.MEASURED:
        return "measured"
    return "idle" if names.is_idle(name) else "measure"


def _sort_the_rest(table: Table, rest: list[str], roles: Roles) -> None:
    """Keys, measures of a wide table, and what is neither."""
    wide = not roles.measures
    for name in rest:
        column, part = table.columns[name], part_of(name)
        if part == "run":
            roles.runs.append(name)
        elif part == "measured":
            roles.measured.append(name)
        elif part == "idle" and names.plain(name) != "name":
            roles.idle.append(name)
        elif isinstance(column, Numbers):
            (roles.measures if wide else roles.idle).append(name)
        elif names.plain(name) == "name":
            roles.runs.append(name)
        elif _is_free_text(column):
            roles.idle.append(name)
        else:
            roles.measured.append(name)
            roles.unlisted.append(name)


def _is_free_text(column: Labels) -> bool:
    """Whether a column holds texts: long ones, or about one per row."""
    labels = column.names
    if not labels:
        return True
    long = sum(map(len, labels)) > _LONG_TEXT * len(labels)
    rows = length(column)
    return long or len(labels) == rows or (len(labels) > 3 and len(labels) > 0.5 * rows)


def _check_measures(table: Table, roles: Roles) -> None:
    for name in roles.measures:
        if not isinstance(table.columns[name], Numbers):
            raise _text_for_numbers(table, name, "--value")
    if not roles.measures:
        raise DataError(
            "no column of numbers beside the training steps",
            where=table.source,
            got=Words(", ".join(_example(name, table.columns[name]) for name in table.columns)),
            fix="name one with --value COLUMN",
        )


def _example(name: str, column: Column) -> str:
    """Return a column's name, and what stands in it where that is no number."""
    if isinstance(column, Labels) and column.names:
        return f"{name} ({column.names[0]!r} …)"
    return name


def _text_for_numbers(table: Table, name: str, option: str) -> DataError:
    column = table.columns[name]
    if isinstance(column, Labels) and column.names:
        odd = [text for text in column.names if not isinstance(column_of([text]), Numbers)]
        example = (odd or column.names)[0]
        return DataError(
            f"column {name!r} holds text",
            where=table.source,
            got=example,
            expected="numbers",
            fix=_plain_number(example, f"name another with {option} COLUMN"),
        )
    return DataError(
        f"column {name!r} holds no positive numbers",
        where=table.source,
        fix=f"name another with {option} COLUMN",
    )


_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*")
_UNIT = re.compile(r"[+-]?\d[\d.,]*\s?(?:%|[a-zA-Z]{1,6})")


def _plain_number(text: str, otherwise: str) -> str:
    """Return how what was written could be a number, else another fix."""
    if _DATE.fullmatch(text):
        return "it is a date: count steps or tokens in a column of numbers"
    if _UNIT.fullmatch(text):
        return f"write {text!r} out as a number"
    if re.fullmatch(r"[+-]?\d[\d.,' ]*", text):
        return "write it without marks of thousands, with a point before decimals"
    return otherwise


def _first_called(
    table: Table, rest: list[str], wanted: list[str], kind: type[Column] | None
) -> list[str]:
    """Return the columns with one of the names (of one kind), in the order of the names."""
    return [
        name
        for each in wanted
        for name in rest
        if names.plain(name) == each and (kind is None or isinstance(table.columns[name], kind))
    ]
