"""One number for every head from its items, with a standard error that counts rows.

Shape legend: L layers, H heads, Q items.
"""

from __future__ import annotations

import numpy as np

from nucleate.core.heads import Floats, HeadScores, label

__all__ = ["Floats", "HeadScores", "clustered_se", "head_means", "label"]


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
