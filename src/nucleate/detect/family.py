"""Many metrics, many runs: every p adjusted for all of them, artefacts told from candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Assessment, Curve, measure_of
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.cache import GridCache, grid_key
from nucleate.detect.companions import ACCURACIES, PERPLEXITIES
from nucleate.detect.describe import describe
from nucleate.detect.events import Events, find_events, find_many
from nucleate.detect.mirage import mirage_control
from nucleate.detect.multiplicity import benjamini_yekutieli, harmonic
from nucleate.detect.runs.resolution import binomial_stderr
from nucleate.detect.series import Series, clean

Array = NDArray[np.float64]
Key = tuple[str, str]

TOGETHER = 64
"""Curves that are looked at together; progress is told after each such group."""

FALSE_DISCOVERY_RATE = 0.05
"""Sharp changes whose q exceeds this are taken back to a broad change."""


def assess_curves(
    curves: Mapping[str, Curve],
    *,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
) -> dict[str, Assessment]:
    """Assess every curve of one run; arguments and rules as in `assess_runs`.

    Args:
        curves: Curves by metric name.
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Of simulated curves (for the test of overall change) and of posterior draws.
        n_bootstrap: Number of simulated curves.

    Returns:
        Assessments by metric name; the evidence of each transition carries q over the run.
    """
    return assess_runs(
        {"": curves}, alpha=alpha, max_width=max_width, seed=seed, n_bootstrap=n_bootstrap
    )[""]


def assess_runs(
    runs: Mapping[str, Mapping[str, Curve]],
    *,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
    progress: Callable[[int], None] | None = None,
) -> dict[str, dict[str, Assessment]]:
    """Assess every curve of several runs as one family, and call artefacts and candidates.

    An accuracy that jumps where its continuous companion moves smoothly is a metric artefact; one
    whose companion shows a sharp change at the same place becomes, with it, a transition candidate.
    Everything else is step-like at most. Perplexities are judged by their logarithm, accuracies
    with a number of items and no standard error by their binomial error.

    Args:
        runs: Curves by run, then by metric name.
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Of simulated curves (for the test of overall change) and of posterior draws.
        n_bootstrap: Number of simulated curves.
        progress: Called with the number of curves done.

    Returns:
        Assessments by run, then by metric; q is over all curves of all runs.
    """
    cache = GridCache(max_width, seed, n_bootstrap)
    curves = {(run, name): curve for run, named in runs.items() for name, curve in named.items()}
    # Curves with the same positions one after the other, so that they share what is computed once.
    order = sorted(curves, key=lambda key: curves[key].tokens.tobytes())
    found: dict[Key, tuple[Series, Events]] = {}
    ready = {key: cleaned(curves[key]) for key in order}
    for _, alike in groupby(order, key=lambda key: grid_key(ready[key])):
        keys = list(alike)
        for begin in range(0, len(keys), TOGETHER):
            some = keys[begin : begin + TOGETHER]
            events = find_many([ready[key] for key in some], cache, alpha)
            found.update(
                (key, (ready[key], event)) for key, event in zip(some, events, strict=True)
            )
            for done in range(len(found) - len(some), len(found)):
                if progress:
                    progress(done + 1)
    q = benjamini_yekutieli([found[key][1].best_p for key in order])
    plain = {
        key: _described(curves[key], *found[key], cache, adjusted, len(order))
        for key, adjusted in zip(order, q, strict=True)
    }
    return {
        run: mirage_control({name: plain[run, name] for name in named}, named)
        for run, named in runs.items()
    }


def cleaned(curve: Curve) -> Series:
    """Return a Curve ready for analysis: its logarithm for perplexities, binomial errors, lr."""
    values, errors = np.asarray(curve.values, float), np.asarray(curve.se, float)
    measure = measure_of(curve.metric)
    if _counted(curve, values, errors, measure):
        counts = np.maximum(np.asarray(curve.counts), 1)
        binomial = binomial_stderr(np.nan_to_num(values), counts)
        errors = np.where(np.isfinite(values), binomial, errors)
    if by_logarithm(curve):
        usable = np.isfinite(values)
        errors = np.divide(errors, values, out=np.full(values.shape, np.nan), where=usable)
        values = np.log(values, out=np.full(values.shape, np.nan), where=usable)
    rates = np.array([step.lr for step in curve.steps], dtype=np.float64)
    lr = rates if rates.size == values.size and np.any(rates > 0) else None
    return clean(curve.tokens, values, errors, lr)


def by_logarithm(curve: Curve) -> bool:
    """Return whether a metric is a perplexity, all of it positive: its logarithm is in nats."""
    values = np.asarray(curve.values, dtype=np.float64)
    values = values[np.isfinite(values)]
    return measure_of(curve.metric) in PERPLEXITIES and bool(values.size and values.min() > 0)


def _counted(curve: Curve, values: Array, errors: Array, measure: str) -> bool:
    """Return whether a curve holds shares of known numbers of items, without standard errors."""
    if measure not in ACCURACIES or len(curve.counts) != values.size or not any(curve.counts):
        return False
    finite = values[np.isfinite(values)]
    return not np.isfinite(errors).any() and bool(np.all((finite >= 0) & (finite <= 1)))


def _described(
    curve: Curve, series: Series, events: Events, cache: GridCache, q: float, num: int
) -> Assessment:
    """Describe one curve of the family, without what does not convince within the family."""
    if events.tested and (q > FALSE_DISCOVERY_RATE or _only_levels_off(events, curve)):
        events = find_events(series, cache, alpha=0.0)
    plain = describe(series, events, cache, metric=curve.metric, chance=curve.chance)
    if by_logarithm(curve):
        plain = replace(plain, note=f"{plain.note}; judged by its logarithm, in nats")
    return _with_q(plain, q, num)


def _only_levels_off(events: Events, curve: Curve) -> bool:
    """Return whether all that was found is that the metric has arrived at its bound.

    An accuracy cannot exceed 1 nor a loss gap fall below 0, so their slope must end there; such a
    kink says nothing of the model.
    """
    measure = measure_of(curve.metric)
    bound = 1.0 if measure in ACCURACIES else {"gap_nll": 0.0}.get(measure)
    if bound is None or not all(event.where.kink for event in events.tested):
        return False
    values = np.asarray(curve.values, dtype=np.float64)
    away = np.abs(values - bound)
    first = min(event.where.at for event in events.tested)
    after = away[curve.tokens > 10.0**first]
    return bool(after.size and np.nanmedian(after) <= 0.02 * np.nanmax(away))


def _with_q(assessment: Assessment, q: float, num: int) -> Assessment:
    """Give each change its q; the metric's smallest p stood for it in the family.

    Further changes of the same metric were not in that family, so they are adjusted for all of it
    at once (the first step of Benjamini-Yekutieli), which can only be stricter.
    """
    best = min((change.evidence.p for change in assessment.transitions), default=1.0)
    changes = []
    for change in assessment.transitions:
        p = change.evidence.p
        own = q if p == best else min(1.0, p * num * harmonic(num))
        if own <= FALSE_DISCOVERY_RATE or p == best:
            changes.append(replace(change, evidence=replace(change.evidence, q=max(q, own, p))))
    return replace(assessment, transitions=tuple(changes))
