"""A whole run: many metrics at once, and the control for mirages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nucleate.core import Assessment, Curve, Kind, Transition, Verdict, companion
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.describe import describe
from nucleate.detect.events import GridCache, find_events
from nucleate.detect.series import clean

FALSE_DISCOVERY_RATE = 0.05
"""Sharp changes whose q exceeds this are taken back to a broad change."""

UNDER_WAY, NEAR = 0.3, 3
"""See `_under_way`: a share of the margin's gain, and the readings averaged on each side."""

SLACK = 0.15
"""Intervals of an accuracy and its margin may be this many decades apart and still agree."""


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
        plain = describe(cleaned[name], events, cache, metric=name, chance=curves[name].chance)
        out[name] = _with_q(plain, adjusted[name], len(names))
    return _mirage_control(out, curves)


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


def _mirage_control(
    assessments: dict[str, Assessment], curves: Mapping[str, Curve]
) -> dict[str, Assessment]:
    """Compare each sharp accuracy with its margin."""
    out = dict(assessments)
    for name, accuracy in assessments.items():
        other = companion(name)
        if accuracy.verdict is not Verdict.STEP_LIKE or other is None:
            continue
        if other not in curves:
            note = f"{accuracy.note}; no continuous companion was measured"
            out[name] = replace(accuracy, note=note)
            continue
        margin = assessments[other]
        if margin.verdict is Verdict.UNRESOLVED:
            note = f"{accuracy.note}; its margin could not be assessed"
            out[name] = replace(accuracy, note=note)
            continue
        out[name], confirmed = _judge(accuracy, margin, curves[other])
        if confirmed:
            out[other] = _promote(out[other], confirmed)
    return out


def _judge(
    accuracy: Assessment, margin: Assessment, curve: Curve
) -> tuple[Assessment, list[Transition]]:
    """Return the accuracy's final assessment and the margin's changes that confirm it."""
    sharp = [change for change in margin.transitions if change.kind is Kind.STEP]
    pairs = [
        (change, partner)
        for change in accuracy.transitions
        if change.kind is Kind.STEP
        for partner in sharp
        if agree(change, partner)
    ]
    if pairs:
        return _promote(accuracy, [change for change, _ in pairs]), [p for _, p in pairs]
    if sharp:
        return replace(accuracy, note=f"{accuracy.note}; its margin changes elsewhere"), []
    if not _under_way(margin, curve, accuracy.lo, accuracy.hi):
        note = f"{accuracy.note}; its margin rises there too, but is not shown to be sharp"
        return replace(accuracy, note=note), []
    changes = tuple(
        replace(change, verdict=Verdict.METRIC_ARTEFACT) for change in accuracy.transitions
    )
    note = f"{accuracy.note}; its margin changes smoothly through it, so this is a metric artefact"
    artefact = replace(accuracy, verdict=Verdict.METRIC_ARTEFACT, transitions=changes, note=note)
    return artefact, []


def _under_way(margin: Assessment, curve: Curve, lo: float, hi: float) -> bool:
    """Return whether a margin was on its way before its accuracy jumped, or never moved.

    An accuracy that jumps because a smooth margin crosses a threshold finds that margin already
    moving: `UNDER_WAY` of what it has gained just after the jump, it had gained just before.
    """
    if margin.verdict is Verdict.SMOOTH:
        return True
    tokens, values = curve.tokens, np.asarray(curve.values, dtype=np.float64)
    usable = np.isfinite(values) & (tokens > 0)
    tokens, values = tokens[usable], values[usable]
    before, after = values[tokens < lo], values[tokens > hi]
    if before.size < 2 * NEAR or after.size < NEAR:
        return False
    first, last, then = (
        float(part.mean()) for part in (before[:NEAR], before[-NEAR:], after[:NEAR])
    )
    return then != first and (last - first) / (then - first) >= UNDER_WAY


def _promote(assessment: Assessment, confirmed: Sequence[Transition]) -> Assessment:
    """Mark the confirmed changes as transition candidates and report the largest of them."""
    changes = tuple(
        replace(change, verdict=Verdict.TRANSITION_CANDIDATE)
        if any(change.at == other.at for other in confirmed)
        else change
        for change in assessment.transitions
    )
    main = max(
        (c for c in changes if c.verdict is Verdict.TRANSITION_CANDIDATE),
        key=lambda change: abs(change.amplitude),
    )
    note = assessment.note
    if "confirmed" not in note:
        note += "; confirmed by accuracy and margin"
    return replace(
        assessment,
        verdict=Verdict.TRANSITION_CANDIDATE,
        transitions=changes,
        at=main.at,
        lo=main.lo,
        hi=main.hi,
        onset=main.onset,
        width=main.width,
        note=note,
    )


def agree(first: Transition, second: Transition) -> bool:
    """Return whether two changes go the same way, at one place give or take `SLACK` decades."""
    if first.amplitude * second.amplitude <= 0.0:
        return False
    gap = math.log10(max(first.lo, second.lo)) - math.log10(min(first.hi, second.hi))
    return gap <= SLACK
