"""All metrics of one run as one table, and which way each of them improves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, CurveBook

Array = NDArray[np.float64]

MAX_POSITIONS = 400
"""Longer runs are thinned to this many positions, evenly in their logarithm."""

MAX_CELLS = 4_000_000
"""Metrics × positions of one run that are looked at; more metrics are left out, evenly."""

DOWN = re.compile(
    r"loss|ppl|perplexity|nll|(^|[._/ -])kl|bits_per|bpb|bpc|error|cross_entropy|brier"
    r"|wer($|[._/ -])"
)
UP = re.compile(
    r"acc|exact_match|margin|score"
    r"|(^|[._/ -])(em|f1|bleu|rouge|auc|mcc|recall|precision)($|[._/ -])"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves of one run on its own positions.

    Attributes:
        run: Name of the run.
        metrics: Names, length M.
        positions: Positions on the axis of the source, ascending, shape ``(P,)``.
        u: log10 of positions (those ≤ 0 placed one typical gap before the first), shape ``(P,)``.
        values, se: Shape ``(M, P)``; NaN where a metric was not measured.
        units: Unit of each metric, length M.
    """

    run: str
    metrics: tuple[str, ...]
    positions: Array
    u: Array
    values: Array
    se: Array
    units: tuple[str, ...]


def panels(book: CurveBook) -> tuple[Panel, ...]:
    """Return one Panel per run of a book that has readings, in the order of the source."""
    return tuple(
        _panel(run, curves)
        for run, curves in book.runs.items()
        if any(curve.values for curve in curves.values())
    )


def _panel(run: str, curves: Mapping[str, Curve]) -> Panel:
    names = [name for name, curve in curves.items() if curve.values]
    at = {name: curves[name].tokens for name in names}
    # Thousands of metrics often share one axis: join distinct axes only.
    axes = {axis.tobytes(): axis for axis in at.values()}
    positions = thin(np.unique(np.concatenate(list(axes.values()))))
    room = max(1, MAX_CELLS // positions.size)
    if len(names) > room:
        names = [names[i] for i in np.linspace(0, len(names) - 1, room).round().astype(int)]
    values = np.full((len(names), positions.size), math.nan)
    errors = values.copy()
    for row, name in enumerate(names):
        where = np.searchsorted(positions, at[name])
        kept = (where < positions.size) & (positions[where % positions.size] == at[name])
        curve = curves[name]
        values[row, where[kept]] = np.array(curve.values, dtype=np.float64)[kept]
        errors[row, where[kept]] = np.array(curve.se, dtype=np.float64)[kept]
    units = tuple(curves[name].unit for name in names)
    return Panel(run, tuple(names), positions, log_positions(positions), values, errors, units)


def thin(positions: Array, most: int = MAX_POSITIONS) -> Array:
    """Return at most `most` of the positions, evenly in their logarithm, all if they are few."""
    if positions.size <= most:
        return positions
    u = log_positions(positions)
    wanted = np.searchsorted(u, np.linspace(u[0], u[-1], most))
    return np.asarray(positions[np.unique(np.clip(wanted, 0, positions.size - 1))])


def log_positions(positions: Array) -> Array:
    """Return log10 of ascending positions, those ≤ 0 one typical gap apart before the first."""
    above = positions > 0
    if not above.any():
        return np.arange(positions.size, dtype=np.float64)
    u = np.log10(np.where(above, positions, 1.0))
    gap = float(np.median(np.diff(u[above]))) if above.sum() > 1 else 0.3
    before = int((~above).sum())
    u[:before] = u[before] - gap * np.arange(before, 0, -1)
    return np.asarray(u)


def directions(panel: Panel) -> NDArray[np.int_]:
    """Return +1 where a rise is better, −1 where a fall is, 0 where unknown, shape ``(M,)``.

    The name decides; without a telling name the way a metric moves over the run does, when its
    rank correlation with the position is at least .8.
    """
    return np.array(
        [
            named_direction(name) or _moved(row)
            for name, row in zip(panel.metrics, panel.values, strict=True)
        ],
        dtype=np.int_,
    )


def named_direction(metric: str) -> int:
    """Return +1, −1 or 0 from the name of a metric alone.

    >>> named_direction("val/loss"), named_direction("arc.acc"), named_direction("weight_norm")
    (-1, 1, 0)
    """
    name = metric.lower()
    if DOWN.search(name):
        return -1
    return 1 if UP.search(name) else 0


def _moved(row: Array) -> int:
    values = row[np.isfinite(row)]
    if values.size < 8 or np.ptp(values) == 0:
        return 0
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    correlation = float(np.corrcoef(rank, np.arange(values.size))[0, 1])
    return int(np.sign(correlation)) if abs(correlation) >= 0.8 else 0


def is_share(name: str, unit: str, values: Array) -> bool:
    """Return whether a metric is a share of items answered rightly, written as a fraction.

    >>> is_share("wsc.acc", "", np.array([0.4, 0.6]))
    True
    """
    accuracy = re.search(r"acc|exact_match", name.lower()) is not None
    finite = values[np.isfinite(values)]
    # Percentages name themselves by values far above 1; an impossible 1.2 stays a fraction.
    return bool(finite.size) and (accuracy or unit == "fraction") and float(np.median(finite)) <= 1


def resolution(values: Array, se: Array) -> float:
    """Return the least difference that can mean anything: a median standard error or one grain.

    The grain is the smallest distance between two different values, when values repeat so often
    (fewer than two thirds are different) that they must come in grains.

    >>> round(resolution(np.array([0.2, 0.2, 0.3, 0.2]), np.full(4, np.nan)), 3)
    0.1
    """
    finite = values[np.isfinite(values)]
    known = se[np.isfinite(se) & (se > 0)]
    error = float(np.median(known)) if known.size else 0.0
    levels = np.unique(finite)
    grain = 0.0
    if 1 < levels.size < 2 / 3 * finite.size:
        steps = np.diff(levels)
        grain = float(steps[steps > 1e-9 * np.abs(levels).max()].min(initial=np.inf))
        grain = grain if np.isfinite(grain) else 0.0
    return max(error, grain)


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return names for a sentence: the first few, then how many more.

    >>> listed(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    every = list(names)
    if len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[:most])} and {len(every) - most} more"


def of_run(run: str) -> str:
    """Return how a run is called in a sentence (nothing for the one unnamed run).

    >>> of_run("seed1"), of_run("")
    (' of seed1', '')
    """
    return f" of {run}" if run else ""
