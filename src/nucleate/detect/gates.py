"""What an event must show besides a small p: size, readings around it, a shape of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nucleate.detect.profile import Location
from nucleate.detect.series import Series

AT_LIMIT, DOUBTFUL_P = 0.999, 0.004
"""A step that fits best at this share of the widest that may be sharp, or beyond, may be wider
still: it is only believed at this level."""

LEAST = 1.5
"""Size of the smallest step that is claimed, in deviations of one reading."""

WARM = 0.1
"""Kinks this close to the end of a known warm-up, in decades, are its effect: it bends curves."""

BESIDE = 3
"""Readings that must lie on either side of a change: what has no before or after is none."""

NEARBY = 0.5
"""Events this close to a larger step, in decades, may be part of its shape."""

SATELLITE_SHARE = 0.25
"""Steps that close to a larger one and smaller than this share of it are part of its shape."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One event with its evidence; positions are log10(step).

    Attributes:
        where: Its place, width and size.
        likelihood_ratio: In nats.
        delta_bic: See `nucleate.detect.events`.
        p: By the network.
        seen: Where the network sees it.
    """

    where: Location
    likelihood_ratio: float
    delta_bic: float
    p: float
    seen: float = float("nan")


def believable(event: Tested, series: Series, widest: float) -> bool:
    """Return whether an event exceeds the noise, is no effect of the schedule, and is resolved."""
    where = event.where
    if not where.kink and where.width >= AT_LIMIT * widest and event.p > DOUBTFUL_P:
        return False
    floor = LEAST * where.noise
    if np.isfinite(series.se):
        floor = max(floor, 2.0 * series.se)
    end = series.warm_up
    if where.kink and end is not None and where.lo - WARM <= end <= where.hi + WARM:
        return False
    return (where.kink or abs(where.amplitude) >= floor) and _resolved(where, series, widest)


def _resolved(where: Location, series: Series, widest: float) -> bool:
    """Return whether the readings next to an event are close, and enough lie on either side."""
    x = series.x
    after = min(max(int(np.searchsorted(x, where.at)), 1), x.size - 1)
    close = x[after] - x[after - 1] <= widest
    before = np.count_nonzero(x < where.at)
    return bool(close and BESIDE <= before <= x.size - BESIDE)


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
