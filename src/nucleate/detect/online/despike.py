"""Put short excursions back on the level around them; what lasts longer stays as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def despike(residual_N: Floats, half: int, limit: float) -> Floats | None:
    """Return the residuals with outliers from a running median replaced by that median, or None.

    The tails of an outlier on its own side go with it; None where there is no outlier.

    A median over 2·half + 1 readings ignores excursions of up to `half` readings and keeps the
    edge of a lasting step. The first and last `half` readings share the outermost full window.

    Args:
        residual_N: Values less a trend.
        half: Half length of the running median in readings.
        limit: Multiples of the robust noise sd beyond which a reading is an outlier.
    """
    n = residual_N.size
    if n < 2 * half + 1:
        return None
    views = np.lib.stride_tricks.sliding_window_view(residual_N, 2 * half + 1)
    inner = np.partition(views, half, axis=1)[:, half]
    centre = np.concatenate((np.full(half, inner[0]), inner, np.full(half, inner[-1])))
    away = residual_N - centre
    sd = 1.4826 * float(np.median(np.abs(away)))
    outlying = np.abs(away) > limit * sd
    if not outlying.any():
        return None
    tail = away * np.sign(_nearest(away, outlying)) > sd
    for _ in range(half):
        grown = outlying.copy()
        grown[1:] |= outlying[:-1] & tail[1:]
        grown[:-1] |= outlying[1:] & tail[:-1]
        if np.array_equal(grown, outlying):
            break
        outlying = grown
    return np.where(outlying, centre, residual_N)


def _nearest(away_N: Floats, outlying_N: NDArray[np.bool_]) -> Floats:
    """Return for each reading the deviation of the outlier nearest to it."""
    where = np.flatnonzero(outlying_N)
    index = np.arange(away_N.size)
    right = np.minimum(np.searchsorted(where, index), where.size - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(where[left] - index) <= np.abs(where[right] - index)
    nearest: Floats = away_N[np.where(closer, where[left], where[right])]
    return nearest
