"""Adjusting p-values for the number of tests, whatever their dependence."""

from __future__ import annotations

import math
from collections.abc import Sequence


def harmonic(num: int) -> float:
    """Return 1 + 1/2 + … + 1/num, the price of dependence in Benjamini-Yekutieli."""
    return math.fsum(1.0 / rank for rank in range(1, num + 1))


def benjamini_yekutieli(p: Sequence[float]) -> list[float]:
    """Return adjusted p-values that hold under any dependence between the tests.

    Source: Benjamini and Yekutieli 2001, theorem 1.3.

    >>> [round(q, 4) for q in benjamini_yekutieli([0.01, 0.5])]
    [0.03, 0.75]
    """
    num = len(p)
    adjusted = [1.0] * num
    smallest = 1.0
    for rank, index in reversed(list(enumerate(sorted(range(num), key=lambda i: p[i]), start=1))):
        smallest = min(smallest, p[index] * num * harmonic(num) / rank)
        adjusted[index] = smallest
    return adjusted
