"""Which metric changes first: places on one axis, lags between them, and order over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from nucleate.core import Assessment, CurveBook
from nucleate.detect.runs.alignment import Alignment, align
from nucleate.detect.runs.ordering import ALPHA, SEEDS_FOR_VERDICT, Ordering, ordering
from nucleate.detect.runs.ordertable import holm
from nucleate.detect.runs.timing import Timing
from nucleate.detect.together.groups import Group
from nucleate.detect.together.movers import Assessments, movers, of_metric
from nucleate.detect.together.results import Mark, Part, Result

LEADS = ("lead and lag", "Which changes first?")
ORDER = ("order", "Does the order hold over seeds?")

MOST_METRICS = 4
"""Metrics whose order is tested: their pairs share one error rate."""


def leads(groups: Sequence[Group], book: CurveBook, assessments: Assessments, seed: int) -> Part:
    """Put the changes of each group's metrics on one axis, with the lags that are resolved."""
    results: list[Result] = []
    for group in groups:
        names = movers(group, book, assessments)
        if len(names) < 2:
            continue
        found = align({name: of_metric(name, group.runs, assessments) for name in names}, seed=seed)
        if len(found.order) > 1:
            results.append(_aligned(group, found))
    if results:
        return Part(*LEADS, tuple(results), caveat="What comes first need not be a cause.")
    return Part(*LEADS, refused="a lag needs two metrics of one run with a located change")


def orders(groups: Sequence[Group], book: CurveBook, assessments: Assessments, seed: int) -> Part:
    """Test over seeds which of two metrics changes first, every pair two-sided, Holm's adjustment.

    The order was not claimed beforehand, so a one-sided test would be wrong here.
    """
    most = max(len(group.runs) for group in groups)
    if most < SEEDS_FOR_VERDICT:
        why = f"an order needs at least {SEEDS_FOR_VERDICT} seeds of one training ({most} here)"
        return Part(*ORDER, refused=why)
    results = [
        result
        for group in groups
        if len(group.runs) >= SEEDS_FOR_VERDICT
        for result in _ordered(group, book, assessments, seed)
    ]
    if results:
        return Part(*ORDER, tuple(results))
    return Part(*ORDER, refused="an order needs two metrics that change in most seeds")


def _aligned(group: Group, found: Alignment) -> Result:
    marks = tuple(Mark(p.metric, p.at, p.lo, p.hi, p.num_seeds) for p in found.order)
    resolved = [lag for lag in found.lags if lag.leads != "not resolved"]
    neighbours = " → ".join(placed.metric for placed in found.order)
    first = [lag.note for lag in sorted(resolved, key=lambda lag: -abs(lag.lag))]
    return Result(
        about=group.title,
        verdict=f"{len(resolved)} of {len(found.lags)} lags resolved",
        note="; ".join(first[:3])
        if first
        else f"no lag is resolved; by their middles {neighbours}",
        shown=bool(resolved),
        figures={
            "metrics": tuple(placed.metric for placed in found.order),
            "pairs": tuple(f"{lag.first} → {lag.second}" for lag in found.lags),
            "lags": tuple(lag.lag for lag in found.lags),
            "lags_lo": tuple(lag.lo for lag in found.lags),
            "lags_hi": tuple(lag.hi for lag in found.lags),
            "leads": tuple(lag.leads for lag in found.lags),
        },
        marks=marks,
    )


def _ordered(group: Group, book: CurveBook, assessments: Assessments, seed: int) -> list[Result]:
    names = movers(group, book, assessments, MOST_METRICS)
    timings = {name: _timings(name, group, book, assessments) for name in names}
    # Each pair is put as it was seen, and tested as if it had not been: two-sided.
    tests = [
        ordering(timings[a], timings[b], names=(a, b), seed=seed) for a, b in combinations(names, 2)
    ]
    tests = [
        ordering(timings[t.second], timings[t.first], names=(t.second, t.first), seed=seed)
        if t.after > t.before
        else t
        for t in tests
    ]
    results = [
        _pair(group, test, p, len(tests))
        for test, p in zip(tests, holm([t.p_two_sided for t in tests]), strict=True)
    ]
    shown = [result for result in results if result.shown]
    if shown or not results:
        return shown
    decided = max(test.before + test.after for test in tests)
    return [
        Result(
            about=group.title,
            verdict="no order shown",
            note=f"none of {len(tests)} pairs of {', '.join(names)} has an order over "
            f"{len(group.runs)} seeds; at most {decided} of them decide a pair",
        )
    ]


def _pair(group: Group, test: Ordering, p: float, num_pairs: int) -> Result:
    counts = f"{test.before} seeds for, {test.after} against, {test.undecided} undecided"
    pairs = f" two-sided, adjusted for {num_pairs} pairs" if num_pairs > 1 else " two-sided"
    return Result(
        about=group.title,
        verdict="before" if p <= ALPHA else "no order shown",
        note=f"{test.first} changes before {test.second} ({counts}; p = {p:.2g}{pairs})",
        shown=p <= ALPHA,
        figures={
            "first": test.first,
            "second": test.second,
            "median": test.median,
            "lo": test.lo,
            "hi": test.hi,
            "before": test.before,
            "after": test.after,
            "undecided": test.undecided,
            "p": test.p_two_sided,
            "p_adjusted": p,
        },
    )


def _timings(name: str, group: Group, book: CurveBook, assessments: Assessments) -> list[Timing]:
    """Return when a metric changed in each seed, no more finely than it was read."""
    found: list[Timing] = []
    for run in group.runs:
        one: Assessment | None = assessments.get(run, {}).get(name)
        curve = book.runs[run].get(name)
        places = np.empty(0) if curve is None else curve.tokens[curve.tokens > 0]
        if one is None or places.size == 0:
            found.append(Timing.unresolved())
            continue
        found.append(Timing.of(one, float(max(places))).widened(places))
    return found
