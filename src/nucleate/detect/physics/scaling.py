"""Finite-size scaling: does a rise get sharper as the model grows?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_SIZES = 4
"""With fewer sizes no exponent is given."""


@dataclass(frozen=True, slots=True)
class WidthScaling:
    """The exponent of W(N) ∝ N^slope.

    Attributes:
        sizes: Model sizes N (parameters), ascending.
        widths: Geometric mean 10–90 % width at each size, in decades.
        seeds: Fewest usable seeds behind a width.
        slope, lo, hi: d ln W / d ln N with its 95 % interval over sizes (Student's t).
        verdict: ``sharpening``, ``broadening``, ``no size dependence shown`` or ``refused``.
        note: One sentence.
        refused: Why there is no exponent, or None.
    """

    sizes: tuple[float, ...]
    widths: tuple[float, ...]
    seeds: int
    slope: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    verdict: str = "refused"
    note: str = ""
    refused: str | None = None


def width_scaling(widths: Mapping[float, ArrayLike]) -> WidthScaling:
    """Return the slope of ln W on ln N with its interval, or say why not.

    Args:
        widths: Model size N → 10–90 % widths in decades, one per seed; those not above 0 and
            NaN are dropped.

    Source: science notes §5.4.

    >>> found = width_scaling({n: [n**-0.5] for n in (1e6, 1e7, 1e8, 1e9)})
    >>> round(found.slope, 3), found.verdict
    (-0.5, 'sharpening')
    """
    usable = {}
    for size, drawn in sorted(widths.items()):
        values = np.atleast_1d(np.asarray(drawn, dtype=np.float64))
        values = values[np.isfinite(values) & (values > 0)]
        if values.size and size > 0:
            usable[size] = values
    sizes = tuple(float(size) for size in usable)
    means = np.array([np.log(values).mean() for values in usable.values()])
    seeds = min((values.size for values in usable.values()), default=0)
    shown = tuple(float(width) for width in np.exp(means))
    if len(sizes) < MIN_SIZES:
        why = f"finite-size scaling needs at least {MIN_SIZES} sizes with a width, got {len(sizes)}"
        return WidthScaling(sizes, shown, seeds, refused=why)
    slope, lo, hi = _slope(np.log(np.array(sizes)), means)
    verdict = "no size dependence shown"
    if hi < 0:
        verdict = "sharpening"
    elif lo > 0:
        verdict = "broadening"
    note = (
        f"W ∝ N^{slope:.3f} (95 % interval {lo:.3f} to {hi:.3f}) over {len(sizes)} sizes: {verdict}"
    )
    return WidthScaling(sizes, shown, seeds, slope, lo, hi, verdict, note)


def _slope(x: Array, y: Array) -> tuple[float, float, float]:
    """Return the least-squares slope with its 95 % interval."""
    from scipy.special import stdtrit

    centred = x - x.mean()
    power = float(centred @ centred)
    slope = float(centred @ y) / power
    residual = y - y.mean() - slope * centred
    error = math.sqrt(float(residual @ residual) / (x.size - 2) / power)
    reach = float(stdtrit(x.size - 2, 0.975)) * error
    return slope, slope - reach, slope + reach
