"""From scores of items to Readings: value, standard error, n, chance, per-item scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import Level, Reading


def mean_reading(
    metric: str,
    scores: ArrayLike,
    *,
    level: Level,
    unit: str,
    chance: float = float("nan"),
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
) -> Reading:
    """Average per-item scores.

    Args:
        scores: Shape ``(n,)``.
        clusters: Which items stand in the same passage, shape ``(n,)``; items of one passage are
            not independent, and the standard error then counts passages, not items.
    """
    values = np.asarray(scores, dtype=np.float64)
    return Reading(
        metric=metric,
        value=float(values.mean()) if len(values) else float("nan"),
        se=standard_error(values, clusters),
        n=len(values),
        chance=chance,
        unit=unit,
        level=level,
        items=tuple(values.tolist()),
    )


def standard_error(
    values: NDArray[np.float64], clusters: Sequence[int] | NDArray[np.int64] | None = None
) -> float:
    """Standard error of a mean, robust to clusters (sandwich estimator with G/(G-1))."""
    n = len(values)
    residuals = values - values.mean() if n else values
    if clusters is not None:
        _, where = np.unique(np.asarray(clusters), return_inverse=True)
        residuals = np.bincount(where, weights=residuals)
    groups = len(residuals)
    if groups < 2:
        return float("nan")
    return float(np.sqrt((residuals**2).sum() * groups / (groups - 1)) / n)


def choice_readings(
    stem: str,
    options: Sequence[NDArray[np.float64]],
    *,
    level: Level,
    clusters: Sequence[int] | None = None,
) -> Iterable[Reading]:
    """Yield ``stem.accuracy`` and its companion ``stem.margin`` of multiple-choice items.

    Accuracy counts items whose right option is the likeliest (ties share the point); the margin is
    log p(right) - logsumexp(log p(wrong)), in nats.

    Args:
        options: Per item, log-probabilities of the options, the right one first.
    """
    if not options:
        return
    accuracy = [tie_aware_hit(scores) for scores in options]
    with np.errstate(invalid="ignore"):  # a diverged model gives NaN, which stays NaN
        margin = [float(scores[0] - np.logaddexp.reduce(scores[1:])) for scores in options]
    chance = float(np.mean([1 / len(scores) for scores in options]))
    blind = float(np.mean([-np.log(len(scores) - 1) for scores in options]))
    yield mean_reading(
        f"{stem}.accuracy", accuracy, level=level, unit="fraction", chance=chance, clusters=clusters
    )
    yield mean_reading(
        f"{stem}.margin", margin, level=level, unit="nats", chance=blind, clusters=clusters
    )


def pair_readings(
    stem: str,
    differences: ArrayLike,
    *,
    level: Level,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
) -> Iterable[Reading]:
    """Yield accuracy and margin of pairs from log p(good) - log p(bad), shape ``(n,)``, in nats.

    A pair whose texts are equally likely earns half a point.
    """
    values = np.asarray(differences, dtype=np.float64)
    hits = np.where(values == 0, 0.5, (values > 0).astype(np.float64))
    hits[np.isnan(values)] = np.nan
    yield mean_reading(
        f"{stem}.accuracy", hits, level=level, unit="fraction", chance=0.5, clusters=clusters
    )
    yield mean_reading(
        f"{stem}.margin", values, level=level, unit="nats", chance=0.0, clusters=clusters
    )


def tie_aware_hit(scores: NDArray[np.float64]) -> float:
    """Return 1 if the first score is the largest, 0 if not, 1/k if it ties with k - 1 others."""
    top = scores.max()
    if np.isnan(top):
        return float("nan")  # a diverged model has no answer, not a wrong one
    return float(scores[0] == top) / float((scores == top).sum())
