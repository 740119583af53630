"""The place of a change on a long curve, from its readings rather than from bins.

A long curve is searched in bins of log10(step). Around a change that was found there, the readings
are averaged again: hardly at all next to the change, more and more with distance. Averages of
autocorrelated readings have a known covariance, so the profile likelihood keeps its meaning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.atoms import compared_forms
from nucleate.detect.covariance import LENGTHS, RATIOS, trend_covariance
from nucleate.detect.likelihood import line, whiten
from nucleate.detect.profile import DROP, Candidates, Location, compare, summarise
from nucleate.detect.series import Dense

Array = NDArray[np.float64]
Index = NDArray[np.intp]

REACH = 0.5
"""Readings this many decades on either side of the change take part."""

FINEST, GROWTH = 0.002, 0.12
"""Length of the averages, in decades: at the change, and per decade of distance from it."""

FINE_DROP = 4.5
"""Fall of the log-likelihood that bounds an interval: more than χ²₁ / 2, because the correlation of
the noise is estimated, and taken as known; set where generated curves are covered."""

NUM_LOCATIONS = 161
STRONGEST = 0.95
ENOUGH = 40
"""Readings below which there is nothing to gain."""


def refine(dense: Dense, others: list[Location], rough: Location, max_width: float) -> Location:
    """Return a change located on the readings themselves.

    Args:
        dense: The readings, standardised.
        others: Further changes of the curve, which are subtracted.
        rough: The change as it was found on the bins.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
    """
    near = np.abs(dense.x - rough.at) <= REACH + rough.width
    if np.count_nonzero(near) < ENOUGH:
        return rough
    x = dense.x[near]
    y = dense.y[near] - sum((other.shape(x) for other in others), np.zeros(x.size))
    group = _groups(x, rough.at)
    start = np.flatnonzero(np.diff(group, prepend=-1))
    count = np.diff(np.append(start, x.size)).astype(np.float64)
    mean_x, mean_y = (np.add.reduceat(column, start) / count for column in (x, y))
    rho = _correlation(y, group, start, count)
    noise = averaged_noise(start, count, rho)
    whitenings = [
        white
        for length in LENGTHS
        for white in whiten(
            noise, trend_covariance(mean_x, mean_x, length), tuple(RATIOS), line(mean_x)
        )
    ]
    forms = (rough.form,) if rough.kink else compared_forms(max_width, FINEST)
    settings = np.full(len(whitenings), rough.hyper, dtype=np.intp)

    def look(begin: float, end: float) -> Candidates:
        inside = np.linspace(max(begin, x[1]), min(end, x[-2]), NUM_LOCATIONS)
        return compare(whitenings, settings, mean_x, mean_y, inside, forms)

    span = max(rough.hi - rough.lo, rough.width, 0.02)
    found = look(rough.at - span, rough.at + span)
    # A second, closer look where the likelihood is high.
    top = found.centre[found.level >= found.level.max() - 2 * DROP]
    margin = 2 * span / NUM_LOCATIONS
    found = look(float(top.min()) - margin, float(top.max()) + margin)
    return summarise(found, x, FINE_DROP)


def _groups(x: Array, at: float) -> Index:
    """Number the averages that readings belong to: short next to `at`, longer further away."""
    distance = np.asarray(x) - at
    # d(group) = dx / (FINEST + GROWTH |x − at|), integrated.
    place = np.sign(distance) * np.log1p(np.abs(distance) * GROWTH / FINEST) / GROWTH
    number = np.floor(place).astype(np.intp)
    return np.asarray(number - number[0])


def _correlation(y: Array, group: Index, start: Index, count: Array) -> float:
    """Return the lag-1 autocorrelation of readings inside the longer averages."""
    mean = np.add.reduceat(y, start) / count
    member = np.repeat(np.arange(start.size), count.astype(np.intp))
    rest = y - mean[member]
    long = count[member] >= 8
    pair = long[1:] & (group[1:] == group[:-1])
    if pair.sum() < ENOUGH:
        return 0.3
    together = float(np.mean(rest[1:][pair] * rest[:-1][pair]))
    alone = max(float(np.mean(rest[long] ** 2)), 1e-300)
    # Taking the mean of m readings off lowers the correlation by about 1/m.
    bias = 1.0 / float(np.median(count[member][long]))
    return float(np.clip(together / alone + bias, 0.0, STRONGEST))


def averaged_noise(start: Index, count: Array, rho: float) -> Array:
    """Return the covariance of averages of consecutive AR(1) readings, shape ``(k, k)``.

    Args:
        start: Index of the first reading of each average, shape ``(k,)``.
        count: Number of readings in each, same shape.
        rho: Correlation of neighbouring readings.
    """
    if rho == 0.0:
        return np.diag(1.0 / count)
    end = start + count - 1.0
    gap = np.maximum(start[None, :] - end[:, None], 0.0)
    share = (1.0 - rho**count) / ((1.0 - rho) * count)
    upper = np.triu(share[:, None] * share[None, :] * rho**gap, 1)
    own = (count * (1 - rho**2) - 2 * rho * (1 - rho**count)) / ((1 - rho) ** 2 * count**2)
    return np.asarray(upper + upper.T + np.diag(own))
