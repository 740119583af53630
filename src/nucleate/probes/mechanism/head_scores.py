"""One number for every head from its items, with a standard error that counts rows.

Shape legend: L layers, H heads, Q items, P parts, G rows of parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nucleate.core.heads import Floats, HeadScores, label

__all__ = ["Clusters", "Floats", "HeadScores", "clustered_se", "head_means", "label"]


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


class Clusters:
    """Items of several scores side by side, averaged at once; `head_means` does one.

    Args:
        rows: Which row each item of a score stands in, score by score.
    """

    def __init__(self, rows: Sequence[Floats]) -> None:
        self._count_P = np.array([len(x) for x in rows])
        part_Q, row_Q = np.repeat(np.arange(len(rows)), self._count_P), np.concatenate(rows)
        order_Q = np.lexsort((row_Q, part_Q))
        # Items mostly come row by row already, and a copy of all of them is the dearest part.
        self._order_Q = None if (np.diff(order_Q) == 1).all() else order_Q
        part_Q, row_Q = part_Q[order_Q], row_Q[order_Q]
        new_Q = np.ones(len(part_Q), dtype=bool)
        new_Q[1:] = (np.diff(part_Q) != 0) | (np.diff(row_Q) != 0)
        self._start_G = np.flatnonzero(new_Q)
        self._size_G = np.diff(np.append(self._start_G, len(part_Q)))
        self._part_G = part_Q[self._start_G]
        self._member_GP = np.zeros((len(self._start_G), len(rows)))
        self._member_GP[np.arange(len(self._start_G)), self._part_G] = 1
        groups_P = self._member_GP.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            self._spread_P = np.where(groups_P > 1, groups_P / (groups_P - 1), np.nan)

    def means(self, items_LHQ: Floats) -> tuple[Floats, Floats]:
        """Return means and standard errors of every score, shape ``(P, L, H)``.

        NaN of a score without items, and of the error of one that stands in a single row.
        """
        if self._order_Q is not None:
            items_LHQ = items_LHQ[..., self._order_Q]
        if not len(self._start_G):
            nothing = np.full((len(self._count_P), *items_LHQ.shape[:2]), np.nan)
            return nothing, nothing
        sums_LHG = np.add.reduceat(items_LHQ, self._start_G, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means_LHP = sums_LHG @ self._member_GP / self._count_P
            sums_LHG -= self._size_G * means_LHP[..., self._part_G]
            se_LHP = np.sqrt(sums_LHG**2 @ self._member_GP * self._spread_P) / self._count_P
        return means_LHP.transpose(2, 0, 1), se_LHP.transpose(2, 0, 1)


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
