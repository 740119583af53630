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

RECOVERY = (0.4, 1.2, 3.0, 6.0)
"""Time constants, in holds, of bumps that decay back to the trend (spikes, restarts)."""

DECAYED = 1.5
"""A bump must have lasted its time constant over this, else it is no different from a step."""


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
        hold: Least number of readings from the onset on; at least twice as many, and half the
            window, stand before it.
        width: 10–90 % width in readings of the sharpest logistic that still counts as smooth;
            0 where that is far longer than the window.
        correlation: AR(1) correlation to whiten with.
    """
    every = 1 if n < 48 else 2
    onsets = np.arange(n - hold, max(2 * hold, n - n // 2) - 1, -every)[::-1]
    if not onsets.size:
        return None
    ramps = RAMPS if hold >= 8 else RAMPS[:1]
    steps = step_columns(n, onsets, ramps)
    return Shapes(
        onsets=onsets.astype(np.intp),
        every=every,
        ramps=len(ramps),
        plain_NS=steps,
        steps_NS=columns(steps, correlation),
        broad_NK=columns(_broad(n, width), correlation),
        bumps_NB=columns(_bumps(n, hold, onsets), correlation),
    )


@lru_cache(maxsize=256)
def early_steps(n: int, correlation: float) -> Columns | None:
    """Steps between two readings that may be as young as two readings; None if too short."""
    onsets = np.arange(max(6, n - n // 2), n - 1)
    return columns(step_columns(n, onsets, RAMPS[:1]), correlation) if onsets.size else None


def step_columns(n: int, onsets: NDArray[np.intp], ramps: tuple[int, ...]) -> Floats:
    """Make one column per onset and ramp, onset-major, rising from 0 to 1."""
    since = np.arange(n)[:, None, None] - onsets[None, :, None] + 1.0
    steps: Floats = np.clip(since / np.array(ramps, dtype=float), 0.0, 1.0).reshape(n, -1)
    return steps


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


def _bumps(n: int, hold: int, onsets: NDArray[np.intp]) -> Floats:
    index = np.arange(n, dtype=float)
    coarse = max(1, onsets.size // 12)
    made = [
        np.where(index >= at, np.exp(-np.maximum(index - at, 0.0) / (tau * hold)), 0.0)
        for tau in RECOVERY
        for at in onsets[:: 1 if tau < 2.0 else coarse]
        if tau * hold <= DECAYED * (n - at)
    ]
    return np.stack(made, axis=1)
