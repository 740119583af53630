"""Class collapse: an accuracy that sits where one constant answer would put it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, is_share, of_run

Array = NDArray[np.float64]

MIN_READINGS, STUCK, NEAR = 8, 0.6, 1e-6
"""Fewest readings; share of them on the two levels; how exactly a level must repeat."""

LOPSIDED = 0.02
"""Distance from one half below which q and 1 − q cannot be told apart."""


def class_collapse(panel: Panel) -> list[Flag]:
    """Return a flag for every accuracy that lives on q and 1 − q, or never moves at all.

    A model that always gives the same answer scores the share q of items whose answer that is, or
    1 − q once it prefers the other: the accuracy then moves by label bias, not by learning.

    Args:
        panel: One run; its metrics that are shares of items are looked at.
    """
    flags = []
    for name, unit, row, se in zip(panel.metrics, panel.units, panel.values, panel.se, strict=True):
        told = np.isfinite(row)
        values, at, errors = row[told], panel.positions[told], se[told]
        if values.size < MIN_READINGS or not is_share(name, unit, values):
            continue
        if np.ptp(values) == 0:
            if (errors > 0).any():
                text = (
                    f"{name}{of_run(panel.run)} is exactly {values[0]:.4g} in all {values.size} "
                    f"readings although its standard error is above 0: one answer for all items"
                )
                flags.append(Flag("class collapse", text, (panel.run,), (name,)))
            continue
        q, low, high = _levels(values)
        stuck = (int(low.sum()) + int(high.sum())) / values.size
        if min(low.sum(), high.sum()) < 2 or stuck < STUCK:
            continue
        side = np.where(low, -1, 1)[low | high]
        flips = int((np.diff(side) != 0).sum())
        text = (
            f"{name}{of_run(panel.run)} sits exactly at {q:.3f} or {1 - q:.3f} in "
            f"{low.sum() + high.sum()} of {values.size} readings and changes sides {flips} times: "
            f"one answer for all items, not learning"
        )
        places = at[low | high][1:][np.diff(side) != 0]
        flags.append(
            Flag("class collapse", text, (panel.run,), (name,), tuple(float(x) for x in places))
        )
    return flags


def _levels(values: Array) -> tuple[float, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the level q < ½ that, with 1 − q, holds most readings, and who sits on which."""
    lower = np.minimum(values, 1 - values)
    levels, counts = np.unique(np.round(lower, 6), return_counts=True)
    counts = np.where(np.abs(levels - 0.5) < LOPSIDED, 0, counts)
    q = float(levels[counts.argmax()])
    if counts.max() == 0 or q < LOPSIDED:
        none = np.zeros(values.size, dtype=bool)
        return math.nan, none, none
    return q, np.abs(values - q) < 2 * NEAR, np.abs(values - 1 + q) < 2 * NEAR
