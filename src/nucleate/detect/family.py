"""A whole run: many metrics at once, every p adjusted for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nucleate.core import Assessment, Curve, measure_of
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.describe import describe
from nucleate.detect.events import Events, GridCache, find_events
from nucleate.detect.mirage import mirage_control
from nucleate.detect.series import clean

FALSE_DISCOVERY_RATE = 0.05
"""Sharp changes whose q exceeds this are taken back to a broad change."""


def benjamini_yekutieli(p: Sequence[float]) -> list[float]:
    """Return adjusted p-values that hold under any dependence between the tests.

    Source: Benjamini and Yekutieli 2001, theorem 1.3.

    >>> [round(q, 4) for q in benjamini_yekutieli([0.01, 0.5])]
    [0.03, 0.75]
    """
    num = len(p)
    harmonic = sum(1.0 / rank for rank in range(1, num + 1))
    adjusted = [1.0] * num
    smallest = 1.0
    for rank, index in reversed(list(enumerate(sorted(range(num), key=lambda i: p[i]), start=1))):
        smallest = min(smallest, p[index] * num * harmonic / rank)
        adjusted[index] = smallest
    return adjusted


def assess_curves(
    curves: Mapping[str, Curve],
    *,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
) -> dict[str, Assessment]:
    """Assess every curve of a run against tokens, and call artefacts and candidates.

    An accuracy that jumps where its continuous companion moves smoothly is a metric artefact; one
    whose companion shows a sharp change at the same place becomes, with it, a transition candidate.
    Everything else is step-like at most.

    Args:
        curves: Curves by metric name.
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Seed of the simulated null distributions and of the posterior draws.
        n_bootstrap: Number of simulated null curves per setting of the null.

    Returns:
        Assessments by metric name; the evidence of each transition carries q over the run.
    """
    cache = GridCache(max_width, seed, n_bootstrap)
    cleaned = {name: clean(curve.tokens, curve.values, curve.se) for name, curve in curves.items()}
    found = {name: find_events(series, cache, alpha) for name, series in cleaned.items()}
    names = list(curves)
    adjusted = dict(
        zip(names, benjamini_yekutieli([found[name].best_p for name in names]), strict=True)
    )
    out = {}
    for name in names:
        events = found[name]
        if adjusted[name] > FALSE_DISCOVERY_RATE and events.tested:
            # Not convincing within the family: look at the curve again without its events.
            events = find_events(cleaned[name], cache, alpha=0.0)
        if events.tested and _only_levels_off(events, curves[name]):
            events = find_events(cleaned[name], cache, alpha=0.0)
        plain = describe(cleaned[name], events, cache, metric=name, chance=curves[name].chance)
        out[name] = _with_q(plain, adjusted[name], len(names))
    return mirage_control(out, curves)


def _only_levels_off(events: Events, curve: Curve) -> bool:
    """Return whether all that was found is that the metric has arrived at its bound.

    An accuracy cannot exceed 1 nor a loss gap fall below 0, so their slope must end there; such a
    kink says nothing of the model.
    """
    bound = {"accuracy": 1.0, "gap_nll": 0.0}.get(measure_of(curve.metric))
    if bound is None or not all(event.kink for event in events.tested):
        return False
    values = np.asarray(curve.values, dtype=np.float64)
    away = np.abs(values - bound)
    first = min(event.where.at for event in events.tested) + float(events.kept.x[0])
    after = away[curve.tokens > 10.0**first]
    return bool(after.size and np.nanmedian(after) <= 0.02 * np.nanmax(away))


def _with_q(assessment: Assessment, q: float, num: int) -> Assessment:
    """Give each change its q; the metric's smallest p stood for it in the family.

    Further changes of the same metric were not in that family, so they are adjusted for all of it
    at once (the first step of Benjamini-Yekutieli), which can only be stricter.
    """
    harmonic = sum(1.0 / rank for rank in range(1, num + 1))
    best = min((change.evidence.p for change in assessment.transitions), default=1.0)
    changes = []
    for change in assessment.transitions:
        p = change.evidence.p
        own = q if p == best else min(1.0, p * num * harmonic)
        if own <= FALSE_DISCOVERY_RATE or p == best:
            changes.append(replace(change, evidence=replace(change.evidence, q=max(q, own, p))))
    return replace(assessment, transitions=tuple(changes))
