"""Data collapse: do curves of several sizes become one when u is rescaled by a power of N?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.physics.scaling import MIN_SIZES

Array = NDArray[np.float64]

MAX_EXPONENT, BETTER = 1.5, 0.7
"""Largest |1/ν| tried; a collapse must bring the held-out error below this share of the null's."""


@dataclass(frozen=True, slots=True)
class SizeCurve:
    """The mean order parameter of one size: `u` (log10) and `m`, shape ``(n,)``, `size` N."""

    size: float
    u: Array
    m: Array


@dataclass(frozen=True, slots=True)
class Collapse:
    """m = f((u − u_c) · (N/N₀)^{1/ν}) against m = f(u), judged on sizes left out of the fit.

    Attributes:
        centre, exponent: u_c and 1/ν fitted to all sizes.
        error, null_error: Root mean square error on held-out sizes, and that of f(u).
        better: How many held-out sizes the collapse predicts better than f(u) does.
        sizes: How many sizes there are.
        holds: Whether it does so for every size, with an error below .7 of the null's.
        note: One sentence.
        refused: Why nothing is said, or None.
    """

    sizes: int
    centre: float = math.nan
    exponent: float = math.nan
    error: float = math.nan
    null_error: float = math.nan
    better: int = 0
    holds: bool = False
    note: str = ""
    refused: str | None = None

    @property
    def nu(self) -> float:
        """The correlation-length exponent ν (∞ when widths do not depend on N)."""
        return 1.0 / self.exponent if self.exponent else math.inf


def collapse(curves: Sequence[SizeCurve]) -> Collapse:
    """Fit u_c and 1/ν, predict each size from the others, and compare with a collapse in u alone.

    Args:
        curves: One curve per size, at least four, each with at least five readings.

    Source: Bhattacharjee and Seno 2001 (pairwise measure); science notes §5.4.

    >>> collapse([]).refused
    'a collapse needs at least 4 sizes, got 0'
    """
    size = len({curve.size for curve in curves})
    if size < MIN_SIZES or size != len(curves):
        return Collapse(size, refused=f"a collapse needs at least {MIN_SIZES} sizes, got {size}")
    if min(curve.u.size for curve in curves) < 5:
        return Collapse(size, refused="a collapse needs at least 5 readings for each size")
    reference = math.exp(sum(math.log(curve.size) for curve in curves) / size)
    errors, nulls = [], []
    for k, held in enumerate(curves):
        rest = [curve for i, curve in enumerate(curves) if i != k]
        centre, exponent = _fit(rest, reference)
        errors.append(_prediction_error(held, rest, centre, exponent, reference))
        nulls.append(_prediction_error(held, rest, centre, 0.0, reference))
    centre, exponent = _fit(list(curves), reference)
    error, null = (math.sqrt(sum(part) / size) for part in (errors, nulls))
    better = sum(e < n for e, n in zip(errors, nulls, strict=True))
    holds = better == size and error < BETTER * null
    note = (
        f"held-out error {error:.3g} against {null:.3g} for a collapse in u alone, better for "
        f"{better} of {size} sizes: "
        + (f"collapses with 1/ν = {exponent:.2f}" if holds else "no collapse beyond u alone")
    )
    return Collapse(size, centre, exponent, error, null, better, holds, note)


def _scaled(curve: SizeCurve, centre: float, exponent: float, reference: float) -> Array:
    return np.asarray((curve.u - centre) * (curve.size / reference) ** exponent)


def _prediction_error(
    held: SizeCurve, rest: Sequence[SizeCurve], centre: float, exponent: float, reference: float
) -> float:
    """Return the mean squared error of one curve predicted by the mean of the others."""
    at = _scaled(held, centre, exponent, reference)
    others = [np.interp(at, _scaled(c, centre, exponent, reference), c.m) for c in rest]
    return float(((held.m - np.mean(others, axis=0)) ** 2).mean())


def _fit(curves: Sequence[SizeCurve], reference: float) -> tuple[float, float]:
    """Return u_c and 1/ν with the least leave-one-size-out error: a grid, then two finer ones."""
    lowest = min(float(curve.u[0]) for curve in curves)
    highest = max(float(curve.u[-1]) for curve in curves)
    centre, reach = (lowest + highest) / 2, (highest - lowest) / 2
    exponent, span = 0.0, MAX_EXPONENT
    for _ in range(4):
        tried = [
            (_spread(curves, c, e, reference), c, e)
            for c in np.linspace(centre - reach, centre + reach, 13)
            for e in np.linspace(exponent - span, exponent + span, 13)
        ]
        _, centre, exponent = min(tried)
        reach, span = reach / 5, span / 5
    return float(centre), float(exponent)


def _spread(curves: Sequence[SizeCurve], centre: float, exponent: float, reference: float) -> float:
    """Return the mean leave-one-size-out error of a scaling."""
    total = 0.0
    for k, held in enumerate(curves):
        rest = [curve for i, curve in enumerate(curves) if i != k]
        total += _prediction_error(held, rest, centre, exponent, reference)
    return total
