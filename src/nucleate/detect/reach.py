"""Values whose squares would leave floating point, brought near 1 without a digit lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAFE = (1e-100, 1e100)
"""Sizes of values whose squares, and sums of many squares, stay far within floating point."""


def exponent(values: NDArray[np.float64]) -> int:
    """Return the k for which ``np.ldexp(values, -k)`` is near 1; 0 where values need no such help.

    A power of two changes no digit of a value, so that results are those of another unit.

    Args:
        values: Finite values, any shape.

    >>> exponent(np.array([0.5, -3.0])), exponent(np.array([2.0**700])), exponent(np.zeros(2))
    (0, 701, 0)
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0 or SAFE[0] < largest < SAFE[1]:
        return 0
    return int(np.frexp(largest)[1])
