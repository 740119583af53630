"""Physics of transitions over seeds and sizes, wherever a source holds enough of both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, CurveBook
from nucleate.detect.family import by_logarithm
from nucleate.detect.physics.binder import Binder, binder
from nucleate.detect.physics.collapse import SizeCurve, collapse
from nucleate.detect.physics.criticality import criticality
from nucleate.detect.physics.order import Ensemble, order_parameter
from nucleate.detect.physics.scaling import width_scaling
from nucleate.detect.physics.susceptibility import (
    MIN_READINGS,
    MIN_SEEDS,
    Susceptibility,
    susceptibility,
)
from nucleate.detect.physics.width import rise_width
from nucleate.detect.together.groups import Group
from nucleate.detect.together.movers import Assessments, movers
from nucleate.detect.together.results import Mark, Part, Result

Array = NDArray[np.float64]

PHYSICS = ("physics", "Do seeds and sizes behave as at a phase transition?")

MOST_METRICS, RESAMPLES = 3, 400
NO_SWEEP = "Hysteresis needs sweeps up and down; a table of training holds none."


@dataclass(frozen=True)
class _Measured:
    """One metric of one group of seeds."""

    group: Group
    metric: str
    spread: Ensemble
    found: Susceptibility


def physics(groups: Sequence[Group], book: CurveBook, assessments: Assessments, seed: int) -> Part:
    """Ask for the susceptibility of each group, and for scaling in each family of sizes."""
    measured: list[_Measured] = []
    results: list[Result] = []
    for group in groups:
        if len(group.runs) < MIN_SEEDS:
            continue
        for metric in _metrics(group, book, assessments):
            one = _measured(group, metric, book, seed)
            if one is not None:
                measured.append(one)
                results.append(_susceptible(one, seed))
    for family in dict.fromkeys(group.family for group in groups if math.isfinite(group.size)):
        sizes = [g for g in groups if g.family == family and math.isfinite(g.size)]
        if len(sizes) > 1:
            results += _scaled(family, sizes, book, assessments, measured)
    if results:
        return Part(*PHYSICS, tuple(results))
    most = max(len(group.runs) for group in groups)
    why = f"physics needs at least {MIN_SEEDS} seeds of one training ({most} here)"
    return Part(*PHYSICS, refused=f"{why} or several sizes of one model (none here). {NO_SWEEP}")


def _metrics(group: Group, book: CurveBook, assessments: Assessments) -> list[str]:
    """Return the metrics that all runs of a group hold, clearest change first."""
    shared = set.intersection(*(set(book.runs[run]) for run in group.runs))
    return [name for name in movers(group, book, assessments) if name in shared][:MOST_METRICS]


def _measured(group: Group, metric: str, book: CurveBook, seed: int) -> _Measured | None:
    spread = _spread([book.runs[run][metric] for run in group.runs])
    if spread is None:
        return None
    found = susceptibility(
        spread.u,
        spread.m,
        spread.sampling,
        items=spread.items,
        resamples=RESAMPLES,
        seed=seed,
    )
    return None if found.refused else _Measured(group, metric, spread, found)


def _susceptible(one: _Measured, seed: int) -> Result:
    found = one.found
    place = int(np.abs(found.u - found.peak).argmin()) if math.isfinite(found.peak) else -1
    shape: Binder = binder(one.spread.m[:, place], seed=seed)
    at = 10.0**found.peak
    marks = (Mark(f"spread of {one.metric}", at, at, at, len(one.group.runs)),)
    return Result(
        about=f"{one.metric}, {one.group.title}",
        verdict="spread between seeds peaks" if found.interior_peak else "no peak shown",
        note=f"{found.note}; {shape.note or shape.refused}",
        shown=found.interior_peak,
        figures={
            "seeds": len(one.spread.m),
            "peak": at,
            "ratio": found.ratio,
            "p": found.p,
            "binder": shape.cumulant,
            "dip_p": shape.dip_p,
        },
        marks=marks if found.interior_peak else (),
    )


def _scaled(
    family: str,
    sizes: Sequence[Group],
    book: CurveBook,
    assessments: Assessments,
    measured: Sequence[_Measured],
) -> list[Result]:
    """Ask of the metrics that change in most sizes whether their rise gets sharper with size."""
    held = set.intersection(*(set(book.runs[run]) for group in sizes for run in group.runs))
    moving = Counter(name for g in sizes for name in _metrics(g, book, assessments) if name in held)
    shared = [name for name, _ in moving.most_common(MOST_METRICS)]
    results: list[Result] = []
    for metric in shared:
        spreads = {g.size: _spread([book.runs[run][metric] for run in g.runs]) for g in sizes}
        known = {size: spread for size, spread in spreads.items() if spread is not None}
        found = width_scaling({n: [rise_width(s.u, row) for row in s.m] for n, s in known.items()})
        together = collapse([SizeCurve(n, s.u, s.m.mean(axis=0)) for n, s in sorted(known.items())])
        peaks: Mapping[float, Susceptibility] = {
            one.group.size: one.found
            for one in measured
            if one.metric == metric and one.group in sizes
        }
        verdict = criticality(
            {n: len(s.m) for n, s in known.items()},
            scaling=found,
            collapsed=together,
            peaks=peaks,
        )
        first = found.refused or found.note
        results.append(
            Result(
                about=f"{metric}, {len(known)} sizes of {family}",
                verdict=found.verdict if not found.refused else "too few sizes",
                note=f"{first}; {together.refused or together.note}; {verdict.note}",
                shown=found.verdict in ("sharpening", "broadening"),
                figures={
                    "sizes": found.sizes,
                    "widths": found.widths,
                    "slope": found.slope,
                    "lo": found.lo,
                    "hi": found.hi,
                    "collapse_exponent": together.exponent,
                    "collapse_holds": together.holds,
                    "critical": verdict.critical,
                    "missing": verdict.missing,
                },
            )
        )
    return results


def _spread(curves: Sequence[Curve]) -> Ensemble | None:
    """Return a metric over seeds from 0, where their mean begins, to 1, where it is furthest away.

    None where the seeds share too few positions, or their mean does not move. Tables of other
    people seldom tell chance and ceiling; a peak of the spread and a width do not depend on them.
    """
    shared = curves[0].tokens
    for curve in curves[1:]:
        shared = np.intersect1d(shared, curve.tokens)
    shared = np.unique(shared[shared > 0])
    if shared.size < MIN_READINGS:
        return None
    values, errors = (
        np.stack([own[np.searchsorted(c.tokens, shared)] for c, own in zip(curves, rows)])  # noqa: B905
        for rows in zip(*(_judged(curve) for curve in curves), strict=True)
    )
    mean = values.mean(axis=0)
    if not np.isfinite(mean).all() or np.ptp(mean) == 0:
        return None
    far = float(mean[np.abs(mean - mean[0]).argmax()])
    m = order_parameter(values, float(mean[0]), far)
    counts = [count for curve in curves for count in curve.counts if count > 0]
    sampling = (np.nan_to_num(errors) / (far - float(mean[0]))) ** 2
    return Ensemble(np.log10(shared), m, sampling, int(np.median(counts)) if counts else 0)


def _judged(curve: Curve) -> tuple[Array, Array]:
    """Return values and standard errors; perplexities by their logarithm."""
    values, errors = np.asarray(curve.values, float), np.asarray(curve.se, float)
    return (np.log(values), errors / values) if by_logarithm(curve) else (values, errors)
