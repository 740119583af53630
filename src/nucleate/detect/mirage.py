"""The control for mirages: does an accuracy jump because a smooth margin crosses a threshold?

Source: Schaeffer, Miranda and Koyejo 2023, "Are Emergent Abilities of Large Language Models a
Mirage?"; the rule is argued in `docs/decisions/0004-when-an-accuracy-is-an-artefact.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nucleate.core import Assessment, Curve, Kind, Transition, Verdict, measure_of
from nucleate.detect.companions import ACCURACIES, continuous

UNDER_WAY, NEAR = 0.3, 3
"""See `_under_way`: a share of the margin's gain, and the readings averaged on each side."""

SLACK = 0.15
"""Intervals of an accuracy and its margin may be this many decades apart and still agree."""


def mirage_control(
    assessments: dict[str, Assessment], curves: Mapping[str, Curve]
) -> dict[str, Assessment]:
    """Compare each sharp accuracy with its margin; return all assessments, judged again."""
    out = dict(assessments)
    for name, accuracy in assessments.items():
        paired = continuous(name, curves)
        if accuracy.verdict is not Verdict.STEP_LIKE or measure_of(name) not in ACCURACIES:
            continue
        if paired is None:
            note = f"{accuracy.note}; no continuous companion was measured"
            out[name] = replace(accuracy, note=note)
            continue
        other, sign = paired
        if assessments[other].verdict is Verdict.UNRESOLVED:
            note = f"{accuracy.note}; its {measure_of(other)} could not be assessed"
            out[name] = replace(accuracy, note=note)
            continue
        out[name], confirmed = _judge(accuracy, assessments[other], curves[other], sign)
        if confirmed:
            out[other] = _promote(out[other], confirmed, measure_of(other))
    return out


def _judge(
    accuracy: Assessment, other: Assessment, curve: Curve, sign: float
) -> tuple[Assessment, list[Transition]]:
    """Return the accuracy's final assessment and its companion's changes that confirm it."""
    sharp = [change for change in other.transitions if change.kind is Kind.STEP]
    pairs = [
        (change, partner)
        for change in accuracy.transitions
        if change.kind is Kind.STEP
        for partner in sharp
        if agree(change, partner, sign)
    ]
    name = measure_of(other.metric)
    if pairs:
        return _promote(accuracy, [change for change, _ in pairs], name), [p for _, p in pairs]
    if sharp:
        return replace(accuracy, note=f"{accuracy.note}; its {name} changes elsewhere"), []
    if not _under_way(other, curve, accuracy.lo, accuracy.hi):
        note = f"{accuracy.note}; its {name} moves there too, but is not shown to be sharp"
        return replace(accuracy, note=note), []
    changes = tuple(
        replace(change, verdict=Verdict.METRIC_ARTEFACT) for change in accuracy.transitions
    )
    note = f"{accuracy.note}; its {name} changes smoothly through it, so this is a metric artefact"
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


def _promote(assessment: Assessment, confirmed: Sequence[Transition], name: str) -> Assessment:
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
        note += f"; confirmed by accuracy and {name}"
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


def agree(first: Transition, second: Transition, sign: float = 1.0) -> bool:
    """Return whether two changes go the same way, at one place give or take `SLACK` decades.

    With `sign` −1 the second measure falls where the first rises.
    """
    if sign * first.amplitude * second.amplitude <= 0.0:
        return False
    gap = math.log10(max(first.lo, second.lo)) - math.log10(min(first.hi, second.hi))
    return gap <= SLACK
