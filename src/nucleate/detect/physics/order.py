"""Order parameter: how far an ability has come, 0 in the disordered state and 1 at its ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import Curve
from nucleate.detect.score import level_score, score_error

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The order parameter of one metric over S seeds at n shared positions.

    Attributes:
        u: log10 of the positions, shape ``(n,)``, increasing.
        m: Order parameter, shape ``(S, n)``.
        sampling: Variance of each `m` from drawing items, same shape (0 where unknown).
        items: Items behind one value (median; 0 when unknown).
    """

    u: Array
    m: Array
    sampling: Array
    items: int


def order_parameter(values: ArrayLike, disordered: float, ordered: float) -> Array:
    """Return ``(value − disordered) / (ordered − disordered)``, any shape.

    Args:
        values: Measured values.
        disordered: Value at chance or at initialisation.
        ordered: Value at the ceiling.

    Raises:
        ValueError: When the two ends coincide.

    >>> order_parameter([0.5, 0.75, 1.0], 0.5, 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    if not ordered != disordered:
        raise ValueError(f"the ordered value must differ from the disordered one, both {ordered}")
    return np.asarray((np.asarray(values, dtype=np.float64) - disordered) / (ordered - disordered))


def binomial_variance(accuracy: ArrayLike, items: int, chance: float = 0.0) -> Array:
    """Return the unbiased item-sampling variance of ``(accuracy − chance) / (1 − chance)``.

    >>> round(float(binomial_variance(0.5, 101)), 6)
    0.0025
    """
    if items < 2:
        raise ValueError(f"a sampling variance needs at least 2 items, got {items}")
    p = np.asarray(accuracy, dtype=np.float64)
    return np.asarray(p * (1.0 - p) / (items - 1) / (1.0 - chance) ** 2)


def ensemble(curves: Sequence[Curve]) -> Ensemble:
    """Return the order parameter of one metric over seeds, at the positions that all seeds share.

    Args:
        curves: One Curve per seed, all of one metric; scores as in `level_score`.

    Raises:
        ValueError: When there is no curve, metrics differ, or no position > 0 is shared.
    """
    if not curves:
        raise ValueError("an ensemble needs at least one Curve")
    names = {curve.metric for curve in curves}
    if len(names) > 1:
        raise ValueError(f"curves of several metrics: {', '.join(sorted(names))}")
    shared = curves[0].tokens
    for curve in curves[1:]:
        shared = np.intersect1d(shared, curve.tokens)
    shared = np.unique(shared[shared > 0])
    if not shared.size:
        raise ValueError("the seeds share no position above 0")
    at = [np.searchsorted(curve.tokens, shared) for curve in curves]
    m = np.stack([level_score(curve)[i] for curve, i in zip(curves, at, strict=True)])
    errors = np.stack([score_error(curve)[i] for curve, i in zip(curves, at, strict=True)])
    counts = [count for curve in curves for count in curve.counts if count > 0]
    items = int(np.median(counts)) if counts else 0
    return Ensemble(np.log10(shared), m, np.nan_to_num(errors, nan=0.0) ** 2, items)
