"""Choose what the positions of a table count: tokens before steps before epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.bridges.tables.columns import Codes, Floats, Table, combine, num_distinct
from nucleate.bridges.tables.roles import Roles, as_numbers


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the rows stand along training, all arrays of shape ``(rows,)``.

    Attributes:
        name: ``tokens``, ``step``, ``samples``, ``epoch``, or what the user's column is called.
        at: Positions on that axis (NaN where a row has none).
        steps, tokens: Optimiser steps and tokens, as far as they are known (else zeros).
        idle: Position columns that were not used.
        note: How the axis was chosen.
    """

    name: str
    at: Floats
    steps: Floats
    tokens: Floats
    idle: tuple[str, ...]
    note: str


def choose_axis(table: Table, roles: Roles, runs: Codes) -> Axis:
    """Choose the axis of a table.

    Tokens come first because runs with other batch sizes share no steps; but only where they grow
    with the step, tell every step apart, and stand in as many rows.

    Args:
        table: The table.
        roles: Its roles, at least one candidate for the position.
        runs: Run of every row, shape ``(rows,)``.
    """
    best = {axis: _fullest(table, found) for axis, found in roles.positions.items()}
    columns = {axis: _values(table, name) for axis, name in best.items()}
    measured = _measured(table, roles)
    filled = {axis: int(np.isfinite(each[measured]).sum()) for axis, each in columns.items()}
    enough = [axis for axis in columns if filled[axis] >= 0.99 * max(filled.values())]
    note, chosen = "", enough[0]
    if chosen == "tokens" and "step" in columns:
        if (reason := _unfit(columns["tokens"], columns["step"], runs)) and "step" in enough:
            note = f" (column {best['tokens']!r} {reason})"
            chosen = next(axis for axis in enough if axis != "tokens")
        else:
            note = f"; column {best['step']!r} is kept beside them"
    zeros = np.zeros(table.num_rows)
    used = {best[chosen], best.get("step", "")}
    candidates = [name for found in roles.positions.values() for name in found]
    return Axis(
        name=chosen,
        at=columns[chosen],
        steps=columns.get("step", zeros),
        tokens=columns["tokens"] if chosen == "tokens" else zeros,
        idle=tuple(name for name in candidates if name not in used),
        note=f"Positions count {_called(chosen)} (column {best[chosen]!r}){note}.",
    )


def _measured(table: Table, roles: Roles) -> NDArray[np.bool_]:
    """Return which rows hold a number that can become part of a curve, not a lone summary."""
    rows = np.zeros(table.num_rows, dtype=np.bool_)
    for name in roles.measures:
        present = np.isfinite(_values(table, name))
        if present.sum() > 1:
            rows |= present
    return rows


def _called(axis: str) -> str:
    return {"step": "steps", "epoch": "epochs"}.get(axis, axis)


def _values(table: Table, name: str) -> Floats:
    numbers = as_numbers(table.columns[name])
    assert numbers is not None  # roles hold only columns of numbers
    return numbers.values


def _fullest(table: Table, found: list[str]) -> str:
    """Return the candidate that stands in most rows; the preferred one among equals."""
    filled = [int(np.isfinite(_values(table, name)).sum()) for name in found]
    return found[filled.index(max(filled))]


def _unfit(tokens: Floats, steps: Floats, runs: Codes) -> str:
    """Return why tokens cannot be the axis, or nothing."""
    both = np.isfinite(tokens) & np.isfinite(steps)
    tokens, steps, runs = tokens[both], steps[both], runs[both]
    order = np.lexsort((tokens, steps, runs))
    same_run = np.diff(runs[order]) == 0
    if (np.diff(tokens[order])[same_run] < 0).any():
        return "does not grow with the step"
    by_step = combine(runs, np.unique(steps, return_inverse=True)[1])
    by_tokens = combine(runs, np.unique(tokens, return_inverse=True)[1])
    if num_distinct(by_tokens) < num_distinct(by_step):
        return "does not tell all steps apart"
    return ""
