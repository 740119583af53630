"""Runs that share their values: they are not independent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, listed

Array = NDArray[np.float64]

MIN_SHARE, MIN_CELLS, MIN_POSITIONS = 0.15, 12, 4
"""Least excess share of identical values, on how many readings at how many positions."""

MAX_RUNS, MAX_COMPARED = 250, 3e8
"""How many runs are compared at most, fewer when pairs of runs × readings exceed the second."""


def shared_values(panels: Sequence[Panel]) -> list[Flag]:
    """Return a flag for every pair of runs that has too many identical values.

    Only readings that differ from those before and after them in their own run count, so that
    common initial weights and constant metrics prove nothing. How often values coincide by
    chance is measured between neighbouring positions of the two runs.

    Args:
        panels: One Panel per run.
    """
    largest = max((panel.values.size for panel in panels), default=1)
    most = max(2, min(MAX_RUNS, int((2 * MAX_COMPARED / largest) ** 0.5)))
    if len(panels) > most:
        chosen = np.linspace(0, len(panels) - 1, most).round().astype(int)
        panels = [panels[i] for i in chosen]
    moving = [_moving(panel.values) for panel in panels]
    index = [{name: row for row, name in enumerate(panel.metrics)} for panel in panels]
    flags = []
    for a in range(len(panels)):
        for b in range(a + 1, len(panels)):
            rows = [
                (index[a][name], index[b][name]) for name in panels[a].metrics if name in index[b]
            ]
            if rows:
                found = _compare(panels[a], panels[b], moving[a], moving[b], np.array(rows))
                flags.extend(found)
    return flags


def _moving(values: Array) -> NDArray[np.bool_]:
    """Return which readings differ from both neighbours in their own run, same shape."""
    change = np.diff(values, axis=1) != 0
    told = np.isfinite(values)
    told[:, 1:] &= change
    told[:, :-1] &= change
    return np.asarray(told)


def _compare(
    a: Panel,
    b: Panel,
    moving_a: NDArray[np.bool_],
    moving_b: NDArray[np.bool_],
    rows: NDArray[np.int_],
) -> list[Flag]:
    at, left, right = np.intersect1d(a.positions, b.positions, return_indices=True)
    if at.size < MIN_POSITIONS + 2:
        return []
    va, vb = a.values[rows[:, 0]][:, left], b.values[rows[:, 1]][:, right]
    told = moving_a[rows[:, 0]][:, left] & moving_b[rows[:, 1]][:, right]
    same = told & (va == vb)
    cells = int(told.sum())
    if not cells:
        return []
    near = told[:, 1:] & told[:, :-1]
    by_chance = float((near & (va[:, 1:] == vb[:, :-1])).sum() / max(1, int(near.sum())))
    share, places = float(same.sum()) / cells, np.flatnonzero(same.any(axis=0))
    if share - by_chance < MIN_SHARE or same.sum() < MIN_CELLS or places.size < MIN_POSITIONS:
        return []
    metrics = tuple(a.metrics[rows[k, 0]] for k in np.flatnonzero(same.any(axis=1)))
    # The stretch that holds the excess: positions where far more agree than chance allows.
    density = same.sum(axis=0) / np.maximum(told.sum(axis=0), 1)
    dense = at[density > max(2 * by_chance, 0.5 * share)]
    text = (
        f"{a.run} and {b.run} share {share:.0%} of {cells} moving values to the last digit "
        f"({by_chance:.0%} coincide by chance), mostly at {dense[0]:g} to {dense[-1]:g}: they are "
        f"not independent runs ({listed(metrics)})"
    )
    return [Flag("shared values", text, (a.run, b.run), metrics, tuple(float(x) for x in dense))]
