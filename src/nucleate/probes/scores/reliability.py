"""How far a score would come out the same again: split halves, and other items of the same kinds.

A coefficient of reliability speaks of a population of models: where they differ much, it is near 1
whatever the error. The error of measurement does not depend on who is measured, so both are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.probes.scores.composite import Outcomes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Agreement of two measurements of the same models.

    Attributes:
        coefficient: Correlation over the models, stepped up to the whole length where halves were
            correlated; NaN with fewer than three models.
        error: Standard error of measurement of the whole score, in its own unit.
        models: How many.
    """

    coefficient: float
    error: float
    models: int


def spearman_brown(correlation: float) -> float:
    """Return the reliability of a test twice as long as the halves that correlate so.

    Spearman (1910), Brown (1910): 2r / (1 + r).
    """
    return 2 * correlation / (1 + correlation)


def split_half(
    found: Sequence[Outcomes], *, splits: int = 200, seed: int = 0
) -> tuple[Reliability, Floats]:
    """Split the documents of a score into halves, many times over.

    Args:
        found: Outcomes of the same items, one per model.
        splits: Random splits to average over.
        seed: Seed of the splits.

    Returns:
        Reliability of the whole score (0 to 100), and the error of each model by itself, shape
        ``(models,)``: half the standard deviation of the difference between its halves.
    """
    rng = np.random.default_rng(seed)
    coefficients, differences = [], []
    groups = int(found[0].clusters.max()) + 1
    for _ in range(splits):
        first = rng.permutation(np.arange(groups) % 2 == 0)[found[0].clusters]
        halves = np.array([[_half(own, first), _half(own, ~first)] for own in found])
        differences.append(halves[:, 0] - halves[:, 1])
        if len(found) > 2:
            coefficients.append(spearman_brown(float(np.corrcoef(halves.T)[0, 1])))
    own = np.array(differences)
    error = np.sqrt((own**2).mean(0)) / 2
    coefficient = float(np.mean(coefficients)) if coefficients else float("nan")
    return Reliability(coefficient, float(np.sqrt((error**2).mean())), len(found)), error


def retest(scores: ArrayLike) -> Reliability:
    """Compare scores from several choices of items.

    Args:
        scores: Shape ``(models, seeds)``.

    Returns:
        Intraclass correlation of one measurement, ICC(2,1) of Shrout and Fleiss (1979): two-way,
        random, absolute agreement; and the error of measurement, which includes shifts that all
        models share.
    """
    values = np.asarray(scores, dtype=np.float64)
    models, seeds = values.shape
    grand, by_model, by_seed = values.mean(), values.mean(1), values.mean(0)
    rows = seeds * ((by_model - grand) ** 2).sum() / max(1, models - 1)
    columns = models * ((by_seed - grand) ** 2).sum() / (seeds - 1)
    left_over = values - by_model[:, None] - by_seed[None, :] + grand
    error = (left_over**2).sum() / max(1, (models - 1) * (seeds - 1))
    within = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    if models < 3:
        return Reliability(float("nan"), within, models)
    share = (rows - error) / (rows + (seeds - 1) * error + seeds * (columns - error) / models)
    return Reliability(float(share), within, models)


def _half(found: Outcomes, inside: NDArray[np.bool_]) -> float:
    """Return the score of some of the items, with every kind at its own weight."""
    share = np.bincount(found.kinds, found.weights)
    size = share.shape[0]
    counts = np.bincount(found.kinds[inside], minlength=size)
    sums = np.bincount(found.kinds[inside], found.hits[inside], minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, sums / counts, np.nan)
    return float(100 * np.nansum(share * means) / share[counts > 0].sum())
