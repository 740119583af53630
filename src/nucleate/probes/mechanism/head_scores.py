"""One number for every head: its standard error, its chance level, and the Readings made of it.

Shape legend: L layers, H heads, Q items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, Reading

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class HeadScores:
    """A score of every head of a model.

    Attributes:
        name: What is scored: ``induction``, ``agreement`` …
        values_LH: The scores.
        se_LH: Their standard errors over items (NaN when unknown).
        chance: Score of a head that attends evenly, or writes nothing.
        n: Number of items behind each score.
        unit: ``fraction`` of attention, ``nats`` …
    """

    name: str
    values_LH: Floats
    se_LH: Floats
    chance: float
    n: int
    unit: str = "fraction"

    @property
    def best(self) -> tuple[int, int]:
        """Layer and number of the head with the highest score."""
        layer, head = np.unravel_index(np.nanargmax(self.values_LH), self.values_LH.shape)
        return int(layer), int(head)

    def labelled(self) -> dict[str, float]:
        """Return the score of every head by its label, ``L0H0`` first."""
        return {label(*head): float(value) for head, value in np.ndenumerate(self.values_LH)}

    def readings(self, stem: str = "heads", *, each: bool = False) -> Iterable[Reading]:
        """Yield ``stem.name.max`` (the best head) and ``stem.name.mean`` (over all heads).

        The best of many heads lies above chance by luck alone, the more of them the higher; its
        standard error is that of one head and knows nothing of the choice.

        Args:
            stem: First part of the metric names.
            each: Yield ``stem.name.L0H3`` of every head too.
        """
        prefix = f"{stem}.{self.name}"
        if np.isnan(self.values_LH).all():
            yield self._reading(f"{prefix}.max", math.nan, math.nan)
            yield self._reading(f"{prefix}.mean", math.nan, math.nan)
            return
        yield self._reading(
            f"{prefix}.max", float(self.values_LH[self.best]), float(self.se_LH[self.best])
        )
        yield self._reading(f"{prefix}.mean", float(np.nanmean(self.values_LH)), math.nan)
        if each:
            for head, value in np.ndenumerate(self.values_LH):
                yield self._reading(
                    f"{prefix}.{label(*head)}", float(value), float(self.se_LH[head])
                )

    def _reading(self, metric: str, value: float, se: float) -> Reading:
        return Reading(metric, value, se, self.n, self.chance, self.unit, Level.MECHANISM)


def label(layer: int, head: int) -> str:
    """Return how a head is called: ``L0H3``."""
    return f"L{layer}H{head}"


def head_means(
    name: str, items_LHQ: Floats, rows_Q: Floats, *, chance: float, unit: str = "fraction"
) -> HeadScores:
    """Average the items of every head; those of one row count as one in the standard error.

    Args:
        name: What is scored.
        items_LHQ: Score of every head on every item.
        rows_Q: Which row each item stands in.
        chance: See `HeadScores`.
        unit: See `HeadScores`.
    """
    n = items_LHQ.shape[-1]
    if n == 0:
        empty = np.full(items_LHQ.shape[:2], np.nan)
        return HeadScores(name, empty, empty, chance, 0, unit)
    values_LH = items_LHQ.mean(-1)
    se_LH = clustered_se(items_LHQ - values_LH[..., None], rows_Q)
    return HeadScores(name, values_LH, se_LH, chance, n, unit)


def clustered_se(residuals_XQ: Floats, rows_Q: Floats) -> Floats:
    """Standard error of means from their items' residuals, robust to clusters; shape ``(…,)``.

    The sandwich estimator with G/(G-1), as `readings.standard_error` has it for one metric.
    """
    _, where_Q = np.unique(rows_Q, return_inverse=True)
    groups = int(where_Q.max()) + 1
    if groups < 2:
        return np.full(residuals_XQ.shape[:-1], np.nan)
    member_QG = np.zeros((len(where_Q), groups))
    member_QG[np.arange(len(where_Q)), where_Q] = 1
    squares = ((residuals_XQ @ member_QG) ** 2).sum(-1)
    result: Floats = np.sqrt(squares * groups / (groups - 1)) / len(where_Q)
    return result
