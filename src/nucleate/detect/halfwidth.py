"""How far a single reading may be off, at 95 %: what stands behind ± and is drawn as a band."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, measure_of
from nucleate.detect.companions import ACCURACIES

Array = NDArray[np.float64]

Z = 1.96
"""Standard errors to either side that hold 95 % of a normal distribution."""

MANY = 100
"""From so many items on, Student's t is taken for normal (it differs by less than 1.3 %)."""


def half_width(metric: str, value: float, se: float, n: int) -> float:
    """Return the half-width of a reading's 95 % interval, in its unit; NaN where it is not known.

    1.96 standard errors; of a mean over fewer than `MANY` items, as many as Student's t has with
    n − 1 degrees of freedom. An accuracy of exactly 0 or 1 has a standard error of 0 and is no
    certainty: its half-width reaches to the far end of its Wilson interval.

    Args:
        metric: Name; its last part tells whether this is an accuracy.
        value: The reading.
        se: Its standard error (NaN when unknown).
        n: Items behind it, 0 when unknown.

    Source: Wilson 1927, Journal of the American Statistical Association 22; Student 1908.

    >>> round(half_width("cause.all.accuracy", 1.0, 0.0, 100), 3)
    0.037
    >>> round(half_width("llc.all.value", 5.0, 1.0, 2), 2)
    12.71
    """
    if math.isnan(se):
        return math.nan
    if measure_of(metric) in ACCURACIES:
        sure = se == 0.0 and value in (0.0, 1.0) and n > 0
        return Z**2 / (n + Z**2) if sure else Z * se
    return _quantile(n) * se


def half_widths(curve: Curve) -> Array:
    """Return `half_width` of every reading of a curve, shape ``(n,)``."""
    counts = curve.counts or (0,) * len(curve.values)
    rows = zip(curve.values, curve.se, counts, strict=True)
    return np.array([half_width(curve.metric, *row) for row in rows], dtype=np.float64)


@lru_cache(maxsize=MANY)
def _quantile(n: int) -> float:
    if not 2 <= n < MANY:
        return Z
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.975))
