"""A curve as the network sees it: equal bins of log10(step), and what is known of its noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.series import Series

Array = NDArray[np.float64]

BINS = 160
"""Equal bins of log10(step), from the first reading to the last."""

CHANNELS = ("value", "read", "noise", "span", "count", "error", "has error", "rate", "has rate")

FAINTEST = 1e-4
"""Smallest noise that is told apart from none, in standard deviations of the curve."""

TO_DEVIATION = 1.0 / (0.6745 * np.sqrt(6.0))
"""From the median absolute second difference of white Gaussian noise to its deviation."""


def picture(series: Series) -> NDArray[np.float32]:
    """Return what the network sees of a cleaned curve, shape ``(len(CHANNELS), BINS)``.

    The values of empty bins are interpolated. The noise is that of second differences of the
    readings, smaller by the root of how many a bin averages. Values are standardised again, for
    readings may have been left out since.
    """
    x, y = (series.x, series.y) if series.dense is None else (series.dense.x, series.dense.y)
    scale = float(series.y.std()) or 1.0
    y = (y - series.y.mean()) / scale
    span = float(x[-1] - x[0])
    # Rounded, so that rescaling the axis cannot move a reading into another bin.
    bins = np.minimum(np.round((x - x[0]) / span * BINS, 6).astype(np.intp), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    read = count > 0
    centre = np.bincount(bins, x, BINS)[read] / count[read]
    mean = np.bincount(bins, y, BINS)[read] / count[read]
    middle = x[0] + (np.arange(BINS) + 0.5) / BINS * span
    noise = np.log10(TO_DEVIATION * np.median(np.abs(np.diff(y, 2))) + FAINTEST)
    known = np.isfinite(series.se) and series.se > 0
    error = np.log10(np.clip(series.se / scale, FAINTEST, 10.0)) if known else 0.0
    rate = series.rate
    rows = (
        np.interp(middle, centre, mean),
        read,
        noise - 0.5 * np.log10(np.maximum(count, 1)),
        np.full(BINS, span / 4.0),
        np.log10(1.0 + count) / 3.0,
        np.full(BINS, error),
        np.full(BINS, float(known)),
        np.ones(BINS) if rate is None else np.interp(middle, series.x, rate),
        np.full(BINS, float(rate is not None)),
    )
    return np.stack([np.asarray(row, dtype=np.float32) for row in rows])
