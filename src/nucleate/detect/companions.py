"""Which of its two measures speaks for an ability: the accuracy, or its continuous companion."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from nucleate.core import Assessment, Curve, Verdict

ACCURACIES = ("accuracy", "acc", "acc_norm", "exact_match", "em", "acc_raw", "acc_per_char")
"""Measures that are shares of items, last parts of metric names."""

PERPLEXITIES = ("perplexity", "ppl", "word_perplexity", "byte_perplexity")
"""Measures whose logarithm is in nats."""

CONTINUOUS = {
    "margin": 1.0,
    "logprob": 1.0,
    "log_prob": 1.0,
    "nll": -1.0,
    "loss": -1.0,
    "bits_per_byte": -1.0,
    "bpb": -1.0,
    **dict.fromkeys(PERPLEXITIES, -1.0),
}
"""Continuous companions of an accuracy, and whether they rise with it."""

_SHARP = (Verdict.TRANSITION_CANDIDATE, Verdict.STEP_LIKE, Verdict.KINK)


def continuous(metric: str, names: Collection[str]) -> tuple[str, float] | None:
    """Return an accuracy's continuous companion among `names`, and the sign of its agreement.

    >>> continuous("lambada.acc", {"lambada.ppl"})
    ('lambada.ppl', -1.0)
    """
    stem, _, measure = metric.rpartition(".")
    if measure not in ACCURACIES:
        return None
    for other, sign in CONTINUOUS.items():
        name = f"{stem}.{other}" if stem else other
        if name in names:
            return name, sign
    return None


AFTER = 5
"""Readings after a change that tell where it leads."""


def clears_chance(curve: Curve, at: float) -> bool:
    """Return whether a curve is above chance after a change (True where there is no chance level).

    A margin may move, sharply even, below what a model that knows nothing scores; that is a change,
    but not of an ability. The mean of the next `AFTER` readings must exceed chance by two of their
    median standard errors.
    """
    after = curve.tokens >= at
    values = np.asarray(curve.values, dtype=np.float64)[after][:AFTER]
    errors = np.asarray(curve.se, dtype=np.float64)[after][:AFTER]
    if not math.isfinite(curve.chance) or not values.size:
        return True
    error = float(np.median(errors[np.isfinite(errors)])) if np.isfinite(errors).any() else 0.0
    return bool(np.nanmean(values) > curve.chance + 2.0 * error)


def standing(
    metric: str, assessments: Mapping[str, Assessment], curves: Mapping[str, Curve]
) -> Assessment | None:
    """Return the assessment that stands for a metric, None when it has none.

    It is the metric's own, unless only its companion shows a sharp change: margins are continuous
    and see a change that too few or too coarse accuracies cannot prove. The other way round nothing
    is borrowed, and a jump of the accuracy alone stays what it was called.

    Args:
        metric: A metric, usually the primary one of a level.
        assessments: Result of `assess_curves`.
        curves: The curves behind it.
    """
    own, paired = assessments.get(metric), continuous(metric, assessments)
    other = assessments[paired[0]] if paired else None
    if own is None or other is None or other.verdict not in _SHARP:
        return own
    if other.metric in curves and not clears_chance(curves[other.metric], other.at):
        return own
    undecided = (Verdict.SMOOTH, Verdict.BROAD_RISE, Verdict.UNRESOLVED)
    return other if own.verdict in undecided else own
