"""What an event must show besides a small p: size, readings around it, a shape of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nucleate.detect.profile import Location
from nucleate.detect.series import Series

LARGEST = 1.25
"""Largest step that is believed, as a multiple of the range of the readings."""

CLOSE, MANY, LARGEST_READ = 0.35, 8, 3.0
"""With `MANY` readings within `CLOSE` decades the trend is read well enough for larger steps."""

AT_LIMIT = 0.999
"""A step that fits best at this share of the widest that may be sharp, or beyond, is broad."""

WARM = 0.1
"""Changes this close to the end of a known warm-up, in decades, are its effect."""

BESIDE = 2
"""Readings that must lie on either side of a change's 10-90 % extent."""

NEARBY = 0.5
"""Events this close to a larger step, in decades, may be part of its shape."""

SATELLITE_SHARE = 0.25
"""Steps that close to a larger one and smaller than this share of it are part of its shape."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One event with its evidence; positions are log10(step)."""

    where: Location
    likelihood_ratio: float
    delta_bic: float
    p: float


def believable(event: Tested, series: Series, widest: float) -> bool:
    """Return whether an event exceeds the noise, is no artefact of the trend, and is resolved."""
    where = event.where
    if not where.kink and where.width >= AT_LIMIT * widest:
        return False
    floor = 2.0 * where.noise
    if np.isfinite(series.se):
        floor = max(floor, 2.0 * series.se)
    # A step larger than everything that was read is a step against a trend that was not read.
    near = np.count_nonzero(np.abs(series.x - where.at) <= CLOSE)
    ceiling = (LARGEST if near < MANY else LARGEST_READ) * float(np.ptp(series.y))
    large = where.kink or floor <= abs(where.amplitude) <= ceiling
    if series.warm_up is not None and where.lo - WARM <= series.warm_up <= where.hi + WARM:
        return False
    return large and _resolved(where, series, widest)


def _resolved(where: Location, series: Series, widest: float) -> bool:
    """Return whether the readings around an event can show that it is narrow.

    They must be close enough at the event, and `BESIDE` of them must lie before its 10 % point and
    after its 90 % point: a change without a before or an after may be the end of a broad one.
    """
    x = series.x
    after = min(max(int(np.searchsorted(x, where.at)), 1), x.size - 1)
    close = x[after] - x[after - 1] <= widest
    before = np.count_nonzero(x < where.onset)
    beyond = np.count_nonzero(x > where.onset + where.width)
    return bool(close and before >= BESIDE and beyond >= BESIDE)


def without_satellites(found: list[Tested]) -> list[Tested]:
    """Drop small events beside larger steps: they mend the shape of a step that is no logistic."""
    out: list[Tested] = []
    for event in found:
        near = [
            step
            for step in out
            if not step.where.kink and abs(step.where.at - event.where.at) <= NEARBY
        ]
        share = SATELLITE_SHARE * max((abs(step.where.amplitude) for step in near), default=0.0)
        if near and (event.where.kink or abs(event.where.amplitude) < share):
            continue
        out.append(event)
    return out
