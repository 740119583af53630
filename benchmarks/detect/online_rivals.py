"""Two rules that people write by hand, run on the streams of the bench for comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BACK = 100
"""Readings from which both rules take mean and sd."""


def scores(values: Floats) -> Floats:
    """Each reading less the mean of the 100 before it, in their sd."""
    views = np.lib.stride_tricks.sliding_window_view(values[:-1], BACK)
    return (values[BACK:] - views.mean(axis=1)) / views.std(axis=1)


def z_rule(values: Floats, limit: float = 4.0) -> NDArray[np.intp]:
    """Readings at which a rolling z-score exceeds its limit."""
    return np.flatnonzero(np.abs(scores(values)) > limit) + BACK


def cusum(values: Floats, slack: float = 0.5, limit: float = 8.0) -> NDArray[np.intp]:
    """Readings at which a two-sided CUSUM of rolling z-scores exceeds its limit."""
    up = down = 0.0
    alarms = []
    for index, score in enumerate(scores(values)):
        up, down = max(0.0, up + score - slack), max(0.0, down - score - slack)
        if max(up, down) > limit:
            alarms.append(index + BACK)
            up = down = 0.0
    return np.array(alarms, dtype=np.intp)
