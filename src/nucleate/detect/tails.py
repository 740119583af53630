"""p-values from simulated values: counted in the bulk, extrapolated beyond it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMALLEST_P = 1e-5
"""Tails are extrapolated no further than this: beyond it, misfit decides, not chance."""


def tail_probability(sorted_null: Array, statistic: float, share: float = 0.1) -> float:
    """Return the upper tail at `statistic`: empirical in the bulk, exponential beyond.

    The largest `share` of the simulated values (ten at least) fixes the rate of the exponential
    tail; a family of metrics needs smaller p than can be counted.
    """
    num = sorted_null.size
    above = num - int(np.searchsorted(sorted_null, statistic, side="left"))
    counted = (above + 1) / (num + 1)
    tail = max(10, int(share * num))
    threshold = float(sorted_null[-tail - 1]) if num > tail else float(sorted_null[0])
    if statistic <= threshold:
        return counted
    rate = 1.0 / max(float(np.mean(sorted_null[-tail:] - threshold)), 1e-9)
    extrapolated = tail / num * float(np.exp(-rate * (statistic - threshold)))
    return max(extrapolated, SMALLEST_P)
