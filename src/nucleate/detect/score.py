"""A metric as a score between 0 (a model that knows nothing) and 1 (the best possible)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, measure_of
from nucleate.detect.halfwidth import half_widths

Array = NDArray[np.float64]

FALLING = ("loss", "kl", "nll", "perplexity")
"""Last parts of metric names, in nats, that fall as the model learns."""


def level_score(curve: Curve) -> Array:
    """Return the score of each reading, shape ``(n,)``; NaN where the metric has no such score.

    Accuracies: (value − chance) / (1 − chance). Losses and divergences in nats: 1 − value / first.
    Margins have no ceiling, so they have no score.
    """
    values = np.asarray(curve.values, dtype=np.float64)
    measure = measure_of(curve.metric)
    if measure == "accuracy" or (curve.unit == "fraction" and math.isfinite(curve.chance)):
        chance = curve.chance if math.isfinite(curve.chance) else 0.0
        return np.asarray(np.clip((values - chance) / (1.0 - chance), 0.0, 1.0))
    falls = any(part in measure.lower() for part in FALLING)
    if falls and curve.unit.startswith(("nats", "bits")):
        finite = values[np.isfinite(values)]
        if finite.size and finite[0] > 0:
            return np.asarray(np.clip(1.0 - values / finite[0], 0.0, 1.0))
    return np.full(values.shape, np.nan)


def score_error(curve: Curve) -> Array:
    """Return the standard error of `level_score`, same shape (NaN when unknown)."""
    return _scaled(curve, np.asarray(curve.se, dtype=np.float64))


def score_half_width(curve: Curve) -> Array:
    """Return the half-width of the 95 % interval of `level_score`, same shape (see `halfwidth`)."""
    return _scaled(curve, half_widths(curve))


def _scaled(curve: Curve, errors: Array) -> Array:
    """Return errors in the metric's unit as errors of its score."""
    scores = level_score(curve)
    values = np.asarray(curve.values, dtype=np.float64)
    if measure_of(curve.metric) == "accuracy" or curve.unit == "fraction":
        chance = curve.chance if math.isfinite(curve.chance) else 0.0
        slope = 1.0 / (1.0 - chance)
    else:
        finite = values[np.isfinite(values)]
        slope = 1.0 / float(finite[0]) if finite.size and finite[0] > 0 else float("nan")
    return np.where(np.isfinite(scores), errors * slope, np.nan)
