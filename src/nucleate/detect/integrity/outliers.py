"""Outlier runs: which run leaves the bundle of its sisters, and from where on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, CurveBook, Flag
from nucleate.detect.integrity.bundle import bundle, critical, distances, tail
from nucleate.detect.integrity.panel import resolution

Array = NDArray[np.float64]

MIN_RUNS, MIN_SHARED = 4, 8
"""Fewest runs of one metric, and fewest positions that they share."""

LEVEL, STRETCHES = 0.01, 4
"""Probability of any flag over all runs, metrics and (about so many) independent stretches."""

MAX_METRICS = 500
"""So many metrics are looked at, evenly chosen."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """A stretch on which one run is too far from the others, in one metric.

    Attributes:
        offset: Median distance from the others' median, in the metric's unit.
        times: The same in spreads of the others.
        p: Probability of such a distance, corrected for everything that was looked at.
        begin, end: First and last position of the stretch.
    """

    run: str
    metric: str
    offset: float
    times: float
    p: float
    begin: float
    end: float


def outlier_runs(book: CurveBook) -> list[Flag]:
    """Return a flag for each run that leaves the bundle for good or for a while.

    A run is compared with the *other* runs, once with their median and a spread that bears
    outliers among them (two bad runs cannot hide each other), once with mean and standard
    deviation (sharper when there are few). A stretch of positions counts only when the run is too
    far all along it; how far that is allows for few runs, many metrics, and offsets that last.

    Args:
        book: At least four runs of one metric.
    """
    if len(book.runs) < MIN_RUNS:
        return []
    names = list(dict.fromkeys(name for curves in book.runs.values() for name in curves))
    names = [n for n in names if sum(n in c for c in book.runs.values()) >= MIN_RUNS]
    if len(names) > MAX_METRICS:
        names = [names[i] for i in np.linspace(0, len(names) - 1, MAX_METRICS).astype(int)]
    found: dict[str, list[Excursion]] = {}
    for name in names:
        curves = {run: c[name] for run, c in book.runs.items() if name in c and c[name].values}
        for excursion in excursions(name, curves, len(names)):
            found.setdefault(excursion.run, []).append(excursion)
    return [_flag(every, len(names)) for every in found.values()]


def _flag(found: list[Excursion], metrics: int) -> Flag:
    best = min(found, key=lambda excursion: excursion.p)
    more = f" (and in {len(found) - 1} more of {metrics} metrics)" if len(found) > 1 else ""
    text = (
        f"{best.run} leaves the bundle of runs in {best.metric} from {best.begin:g} to "
        f"{best.end:g}: {abs(best.offset):.3g} {'above' if best.offset > 0 else 'below'} the "
        f"others, {abs(best.times):.0f} times their spread{more}"
    )
    about = tuple(excursion.metric for excursion in found)
    return Flag("outlier run", text, (best.run,), about, (best.begin, best.end), best.p)


def excursions(metric: str, curves: dict[str, Curve], metrics: int = 1) -> list[Excursion]:
    """Return the longest excursion of each run that has one.

    Args:
        metric: What is compared.
        curves: One Curve per run, at least four.
        metrics: How many metrics are looked at together.
    """
    if len(curves) < MIN_RUNS:
        return []
    at, values = bundle(list(curves.values()))
    if at.size < MIN_SHARED:
        return []
    told = zip(values, curves.values(), strict=True)
    far = distances(values, max(resolution(row, np.asarray(curve.se)) for row, curve in told))
    family = 2 * len(curves) * metrics * STRETCHES
    limit, plain_limit = critical(len(curves) - 1, LEVEL / family)
    least = max(3, round(0.05 * at.size))
    found = []
    for r, run in enumerate(curves):
        spans = [
            _longest((sign * far.robust[r] > limit) | (sign * far.plain[r] > plain_limit))
            for sign in (1, -1)
        ]
        begin, end = max(spans, key=lambda span: span[1] - span[0])
        if end - begin < least:
            continue
        part = slice(begin, end)
        times, plain = (float(np.median(d[r, part])) for d in (far.robust, far.plain))
        others = np.median(np.delete(values, r, axis=0)[:, part], axis=0)
        offset = float(np.median(values[r, part] - others))
        p = min(LEVEL, family * tail(len(curves) - 1, times, plain))
        found.append(Excursion(run, metric, offset, times, p, float(at[begin]), float(at[end - 1])))
    return found


def _longest(beyond: NDArray[np.bool_]) -> tuple[int, int]:
    """Return begin and end (one past the last) of the longest unbroken stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], beyond, [False]]).astype(int)))
    spans = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    return max(spans, key=lambda span: span[1] - span[0], default=(0, 0))
