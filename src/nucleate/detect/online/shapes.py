"""Shapes that the end of a stream may take: lasting steps, and rivals that are no lasting step.

Legend: N readings in the window, S steps (onset-major, one for each ramp), K kinks and other
broad rivals, B bumps. Columns are functions of the reading's index alone, so that they can be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.online.evidence import Columns, columns

Floats = NDArray[np.float64]

RAMPS = (1, 8, 20)
"""Readings that a step may take (1: between two readings); sparse streams use the first only."""

RECOVERY = (6.0, 16.0, 40.0, 90.0)
"""Time constants in readings of bumps that decay back to the trend (spikes, restarts)."""

REACH = 80
"""Greatest number of readings from the onset of a step on."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Candidate steps and their rivals for one window length, whitened.

    Attributes:
        onsets: Index of the first changed reading of each onset.
        every: Spacing of the onsets in readings.
        ramps: Number of ramps at each onset.
        plain_NS: Steps as they are.
        steps_NS: Steps, whitened.
        broad_NK: Kinks, a cubic, a quartic and logistics too wide to be sharp, whitened.
        bumps_NB: Bumps that recover, whitened.
    """

    onsets: NDArray[np.intp]
    every: int
    ramps: int
    plain_NS: Floats
    steps_NS: Columns
    broad_NK: Columns
    bumps_NB: Columns


@lru_cache(maxsize=256)
def shapes(n: int, hold: int, width: int, correlation: float) -> Shapes | None:
    """Make the columns for a window of `n` readings; None where it is too short for any step.

    Args:
        n: Readings in the window.
        hold: Least number of readings from the onset on; twice as many stand before it.
        width: 10–90 % width in readings of the sharpest logistic that still counts as smooth;
            0 where that is far longer than the window.
        correlation: AR(1) correlation to whiten with.
    """
    every = 1 if n < 48 else 2
    onsets = np.arange(n - hold, max(2 * hold, n - REACH) - 1, -every)[::-1]
    if not onsets.size:
        return None
    ramps = np.array(RAMPS if hold >= 8 else RAMPS[:1], dtype=float)
    since = np.arange(n)[:, None, None] - onsets[None, :, None] + 1.0
    steps = np.clip(since / ramps, 0.0, 1.0).reshape(n, -1)
    return Shapes(
        onsets=onsets.astype(np.intp),
        every=every,
        ramps=ramps.size,
        plain_NS=steps,
        steps_NS=columns(steps, correlation),
        broad_NK=columns(_broad(n, width), correlation),
        bumps_NB=columns(_bumps(n, onsets), correlation),
    )


def _broad(n: int, width: int) -> Floats:
    index, unit = np.arange(n, dtype=float), np.linspace(-1.0, 1.0, n)
    made = [unit**3, unit**4]
    made += [np.maximum(index - at, 0.0) / n for at in range(2, n - 2, max(1, n // 24))]
    if width:
        rate = 2.0 * np.log(9.0) / width
        made += [
            1.0 / (1.0 + np.exp(np.clip(-rate * share * (index - at), -60, 60)))
            for at in np.arange(-0.25 * width, n + 0.25 * width, 0.125 * width)
            for share in (1.0, 0.6)
        ]
    return np.stack(made, axis=1)


def _bumps(n: int, onsets: NDArray[np.intp]) -> Floats:
    since = np.arange(n)[:, None] - onsets[None, :: max(1, onsets.size // 12)]
    decays = [np.where(since >= 0, np.exp(-np.maximum(since, 0) / tau), 0.0) for tau in RECOVERY]
    return np.concatenate(decays, axis=1)
