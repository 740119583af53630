"""Hysteresis: does the loop between an up- and a down-sweep survive infinitely slow sweeping?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_RATES = 3
EXPONENTS = (1 / 3, 1 / 2, 2 / 3, 1.0)
"""How a lag shrinks with the sweep rate: linear response 1, mean field 2/3, slower ones below."""


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Loop area against sweep rate, extended to rate zero.

    Attributes:
        rates: Sweep rates, ascending, in control units per decade or per token.
        areas: Mean loop area at each rate, in control × order-parameter units.
        residual, lo, hi: Area at rate zero with its 95 % interval, over all lag laws that fit.
        verdict: ``hysteresis``, ``lag``, ``no loop``, ``unresolved`` or ``refused``.
        note: One sentence.
        refused: Why nothing is said, or None.
    """

    rates: tuple[float, ...]
    areas: tuple[float, ...]
    residual: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    verdict: str = "refused"
    note: str = ""
    refused: str | None = None


def loop_area(control: ArrayLike, up: ArrayLike, down: ArrayLike) -> float:
    """Return ``∫ (down − up) d control`` by trapezoids; positive when the state lags the control.

    >>> loop_area([0.0, 1.0], [0.0, 0.0], [0.5, 0.5])
    0.5
    """
    c, gap = np.asarray(control, dtype=np.float64), np.asarray(down, dtype=np.float64)
    return float(np.trapezoid(gap - np.asarray(up, dtype=np.float64), c))


def hysteresis(areas: Mapping[float, ArrayLike]) -> Hysteresis:
    """Judge loop areas at several sweep rates.

    ``area = A₀ + b · rate^a`` is fitted for each exponent of `EXPONENTS`; the interval of A₀ is
    the union over exponents whose misfit is within four times the smallest.

    Args:
        areas: Sweep rate → loop areas, one per seed.

    Source: science notes §5.5; Chakrabarti and Acharyya 1999 for the exponents.

    >>> hysteresis({1.0: [0.2], 2.0: [0.3]}).refused
    'hysteresis needs loops at 3 sweep rates or more, got 2: one loop cannot be told from lag'
    """
    usable = {
        float(rate): values[np.isfinite(values)]
        for rate, drawn in sorted(areas.items())
        if rate > 0 and (values := np.atleast_1d(np.asarray(drawn, dtype=np.float64))).size
    }
    usable = {rate: values for rate, values in usable.items() if values.size}
    rates, means = tuple(usable), np.array([values.mean() for values in usable.values()])
    if len(rates) < MIN_RATES:
        why = (
            f"hysteresis needs loops at {MIN_RATES} sweep rates or more, got {len(rates)}: "
            f"one loop cannot be told from lag"
        )
        return Hysteresis(rates, tuple(means.tolist()), refused=why)
    residual, lo, hi = _at_rest(np.array(rates), means, list(usable.values()))
    verdict = _verdict(means, residual, lo, hi)
    note = (
        f"area {means[0]:.3g} at rate {rates[0]:.3g} and {means[-1]:.3g} at {rates[-1]:.3g}, "
        f"{residual:.3g} ({lo:.3g} to {hi:.3g}) at rate zero: {verdict}"
    )
    return Hysteresis(rates, tuple(means.tolist()), residual, lo, hi, verdict, note)


def _verdict(means: Array, residual: float, lo: float, hi: float) -> str:
    largest = float(np.abs(means).max())
    if largest < 1e-12:
        return "no loop"
    if lo > 0 and residual > 0.05 * largest:
        return "hysteresis"
    if lo <= 0 and residual < 0.25 * largest and means[0] < means[-1]:
        return "lag"
    return "unresolved"


def _at_rest(rates: Array, means: Array, drawn: list[Array]) -> tuple[float, float, float]:
    """Return A₀ with its interval over the lag laws that fit."""
    from scipy.special import stdtrit

    fits = []
    for exponent in EXPONENTS:
        design = np.stack([np.ones_like(rates), rates**exponent], axis=1)
        inverse = np.linalg.inv(design.T @ design)
        weights = inverse @ design.T
        fit = weights @ means
        misfit = float(((means - design @ fit) ** 2).sum())
        freedom = rates.size - 2
        within = [float(values.var(ddof=1)) / values.size for values in drawn if values.size > 1]
        spare = sum(values.size - 1 for values in drawn)
        if len(within) == len(drawn) and spare >= freedom:
            variance = max(float(weights[0] ** 2 @ np.array(within)), 0.0)
            freedom = spare
        else:
            variance = misfit / freedom * float(inverse[0, 0])
        reach = float(stdtrit(freedom, 0.975)) * math.sqrt(variance)
        fits.append((misfit, float(fit[0]), reach))
    smallest = min(fits)[0]
    noise = 1e-18 * float((means**2).sum())
    kept = [(rest, reach) for misfit, rest, reach in fits if misfit <= 4 * smallest + noise]
    return (
        min(fits)[1],
        min(rest - reach for rest, reach in kept),
        max(rest + reach for rest, reach in kept),
    )
