"""Where do the metrics, taken together, differ most from before? A second opinion on phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, CurveBook
from nucleate.detect.companions import continuous
from nucleate.detect.family import by_logarithm
from nucleate.detect.runs.segmentation import WARNING, Boundary, segment
from nucleate.detect.together.groups import Group
from nucleate.detect.together.movers import Assessments, movers
from nucleate.detect.together.results import Mark, Part, Result

Array = NDArray[np.float64]

STATES = ("states", "Where do the metrics, taken together, differ most from before?")

MOST_METRICS, MOST_BINS, MOST_RUNS = 12, 150, 12


def states(groups: Sequence[Group], book: CurveBook, assessments: Assessments, seed: int) -> Part:
    """Cut each group's metrics, taken together, into states: a second opinion, never a verdict."""
    results: list[Result] = []
    why = "states need at least 3 metrics, each read at least once"
    for group in groups:
        runs = group.runs[:MOST_RUNS]
        names = _state_metrics(group, book, assessments)
        tables = [_table([book.runs[run].get(name) for name in names]) for run in runs]
        tables = [(places, values) for places, values in tables if places.size >= 4]
        if not tables or len(names) < 3:
            continue
        found = segment([p for p, _ in tables], [v for _, v in tables], max_states=4, seed=seed)
        if not found.num_states:
            why = found.note.removeprefix("refused: ")
            continue
        results.append(
            Result(
                about=group.title,
                verdict="one state" if found.num_states == 1 else f"{found.num_states} states",
                note=f"{found.note.removesuffix(f'; {WARNING}')}, from {len(names)} metrics",
                shown=found.num_states > 1,
                figures={
                    "states": found.num_states,
                    "metrics": tuple(names),
                    "bic": found.bic,
                    "held_out": found.held_out,
                    "agree": found.agree,
                },
                marks=_boundaries(found.boundaries),
            )
        )
    if not results:
        return Part(*STATES, refused=why)
    return Part(*STATES, tuple(results), caveat=f"{WARNING[0].upper()}{WARNING[1:]}.")


def _boundaries(boundaries: Sequence[Sequence[Boundary]]) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for number, over_runs in enumerate(zip(*boundaries, strict=True), start=1):
        there = [b for b in over_runs if math.isfinite(b.at)]
        if there:
            places = sorted(b.at for b in there)
            low = min(b.lo for b in there)
            high = max(b.hi for b in there)
            at = float(10 ** np.median(np.log10(places)))
            marks.append(Mark(f"state {number} → {number + 1}", at, low, high, len(there)))
    return tuple(marks)


def _state_metrics(group: Group, book: CurveBook, assessments: Assessments) -> list[str]:
    """Return the metrics that all runs of a group hold, those that change most clearly first."""
    shared = set.intersection(*(set(book.runs[run]) for run in group.runs))
    first = [n for n in movers(group, book, assessments, MOST_METRICS) if n in shared]
    rest = [name for name in book.runs[group.runs[0]] if name in shared and name not in first]
    doubles = {pair[0] for name in shared if (pair := continuous(name, shared)) is not None}
    kept = [name for name in (*first, *rest) if name not in doubles or name in first]
    return kept[:MOST_METRICS]


def _table(curves: Sequence[Curve | None]) -> tuple[Array, Array]:
    """Return the readings of several curves at shared positions, dense ones averaged in bins."""
    present = [curve for curve in curves if curve is not None]
    places = np.unique(np.concatenate([c.tokens for c in present])) if present else np.zeros(0)
    places = places[places > 0]
    values = np.full((places.size, len(curves)), np.nan)
    for column, curve in enumerate(curves):
        if curve is None:
            continue
        tokens, own = curve.tokens, np.asarray(curve.values, dtype=np.float64)
        own = np.log(own) if by_logarithm(curve) else own
        kept = (tokens > 0) & np.isfinite(own)
        values[np.searchsorted(places, tokens[kept]), column] = own[kept]
    seen = np.isfinite(values).any(axis=1)
    places, values = places[seen], values[seen]
    return (places, values) if places.size <= MOST_BINS else _binned(places, values)


def _binned(places: Array, values: Array) -> tuple[Array, Array]:
    x = np.log10(places)
    edges = np.linspace(x[0], x[-1], MOST_BINS + 1)[1:-1]
    where = np.searchsorted(edges, x, side="right")
    kept = np.unique(where)
    means = np.full((kept.size, values.shape[1]), np.nan)
    for row, number in enumerate(kept):
        own = values[where == number]
        some = np.isfinite(own).any(axis=0)
        means[row, some] = np.nanmean(own[:, some], axis=0)
    middles = np.array([x[where == number].mean() for number in kept])
    return 10.0**middles, means
