"""Binder cumulant over seeds: one peak or two in the distribution of an order parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.physics.dip import dip, dip_p

Array = NDArray[np.float64]

MIN_SEEDS, MIN_DESCRIBED = 30, 5
"""Fourth moments need the first number of seeds; the second is enough to describe them."""


@dataclass(frozen=True, slots=True)
class Binder:
    """The shape of the distribution over seeds at one reading.

    Attributes:
        seeds: Finite values used.
        cumulant: U; 0 for a Gaussian, .4 for a uniform, 2/3 for two equal peaks (NaN if refused).
        lo, hi: 95 % bootstrap interval of U.
        dip, dip_p: Hartigan's dip and its Monte-Carlo p against one mode (descriptive).
        note: One sentence.
        refused: Why there is no cumulant, or None.
    """

    seeds: int
    cumulant: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    dip: float = math.nan
    dip_p: float = math.nan
    note: str = ""
    refused: str | None = None


def cumulant(m: Array) -> Array:
    """Return ``1 − ⟨m̃⁴⟩ / (3 ⟨m̃²⟩²)`` along the last axis, m̃ centred (NaN without spread).

    Source: Binder 1981, for a centred order parameter.

    >>> round(float(cumulant(np.array([-1.0, 1.0, -1.0, 1.0]))), 4)
    0.6667
    """
    centred = m - m.mean(axis=-1, keepdims=True)
    second, fourth = (centred**2).mean(axis=-1), (centred**4).mean(axis=-1)
    scale = np.abs(m).max(axis=-1)
    alive = second > (1e-12 * scale) ** 2
    return np.where(alive, 1.0 - fourth / (3.0 * np.where(alive, second, 1.0) ** 2), math.nan)


def binder(m: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Binder:
    """Return the Binder cumulant of one reading over seeds, or say why not.

    Args:
        m: Order parameter of each seed at one position, shape ``(S,)``; NaN are dropped.
        resamples, seed: Of the bootstrap over seeds.

    >>> binder([0.1, 0.9, 0.5]).refused
    'a Binder cumulant needs at least 30 seeds, got 3; nothing is described below 5'
    """
    values = np.asarray(m, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    size = values.size
    if size < MIN_DESCRIBED:
        why = f"a Binder cumulant needs at least {MIN_SEEDS} seeds, got {size}"
        return Binder(size, refused=f"{why}; nothing is described below {MIN_DESCRIBED}")
    if np.ptp(values) <= 1e-12 * max(1e-300, float(np.abs(values).max())):
        return Binder(size, refused="all seeds have one value: there is no spread to describe")
    found, p = dip(values), dip_p(values)
    shape = f"Hartigan's dip {found:.3f}, p = {p:.2g} against one mode"
    if size < MIN_SEEDS:
        why = f"a Binder cumulant needs at least {MIN_SEEDS} seeds, got {size}"
        return Binder(size, dip=found, dip_p=p, note=f"descriptive: {shape}", refused=why)
    rng = np.random.default_rng(seed)
    again = cumulant(values[rng.integers(0, size, (resamples, size))])
    lo, hi = (float(q) for q in np.nanquantile(again, (0.025, 0.975)))
    value = float(cumulant(values))
    note = f"U = {value:.3f} ({lo:.3f} to {hi:.3f}) over {size} seeds; {shape}"
    return Binder(size, value, lo, hi, found, p, note)
