"""Statistics of paired seeds: intervals, an exact test, and their correction over workloads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

RESAMPLES = 9_999
LEVEL = 0.95
MOST_EXACT = 20
"""Seeds up to which every assignment of signs is tried."""
DRAWS = 2**17
"""Random assignments of signs that are tried with more seeds."""
_SEED = 20_260_730


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval; NaN where there is none."""

    value: float
    lo: float = math.nan
    hi: float = math.nan


def bca(
    number: int,
    statistic: Callable[[NDArray[np.int64]], Array],
    *,
    level: float = LEVEL,
    resamples: int | None = None,
) -> Interval:
    """Return a statistic of seeds with its BCa interval, resampling whole seeds.

    Everything that belongs to a seed is drawn together, so that what the statistic estimates on
    the way (a pooled frontier, say) is estimated again from each resample.

    Args:
        number: How many seeds there are.
        statistic: From the indices of the seeds drawn, shape ``(R, number)``, to ``(R,)`` numbers.
        level: Coverage.
        resamples: Bootstrap samples; `RESAMPLES` when left out.

    Source: Efron (1987), Better bootstrap confidence intervals; `scipy.stats.bootstrap`.
    """
    from scipy import stats

    seeds = np.arange(number)
    value = float(statistic(seeds[None])[0])
    if number < 3 or not math.isfinite(value):
        return Interval(value)
    alone = statistic(np.array([np.delete(seeds, left_out) for left_out in seeds]))
    if np.ptp(alone) <= 1e-12 * max(1.0, abs(value)):  # no seed differs: BCa has no acceleration
        return Interval(value, value, value)
    found = stats.bootstrap(
        (seeds,),
        lambda drawn, axis: statistic(np.atleast_2d(drawn)).reshape(drawn.shape[:-1]),
        vectorized=True,
        confidence_level=level,
        n_resamples=resamples or RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def jackknife(
    number: int, statistic: Callable[[NDArray[np.int64]], Array], *, level: float = LEVEL
) -> Interval:
    """Return a statistic of seeds with Student's interval around its jackknife error.

    For a mean it is the usual t interval; for anything else it too sees what is estimated on the
    way, because whole seeds are left out. It stands beside BCa, which is short at small n.

    Args:
        number: How many seeds there are.
        statistic: As for `bca`.
        level: Coverage.
    """
    from scipy import stats

    seeds = np.arange(number)
    value = float(statistic(seeds[None])[0])
    if number < 3 or not math.isfinite(value):
        return Interval(value)
    alone = statistic(np.array([np.delete(seeds, left_out) for left_out in seeds]))
    error = math.sqrt((number - 1) / number * float(((alone - alone.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(0.5 + level / 2, number - 1)) * error
    return Interval(value, value - reach, value + reach)


def bca_mean(values: ArrayLike, *, resamples: int | None = None) -> Interval:
    """Return the mean of paired differences with its BCa interval."""
    given = np.asarray(values, np.float64)
    return bca(given.size, lambda drawn: given[drawn].mean(axis=-1), resamples=resamples)


def t_interval(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return the mean with Student's interval: the companion of BCa, which is short at small n."""
    from scipy import stats

    given = np.asarray(values, np.float64)
    mean = float(given.mean())
    if given.size < 2 or not math.isfinite(mean):
        return Interval(mean)
    reach = float(stats.t.ppf(0.5 + level / 2, given.size - 1)) * _standard_error(given)
    return Interval(mean, mean - reach, mean + reach)


def median_interval(values: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return the median with the interval between two order statistics; infinities are allowed.

    The narrowest symmetric pair whose coverage, ``1 − 2 P(B < k)`` with B binomial(n, ½), is at
    least `level`; NaN where no pair reaches it (n < 6 at 95 %).
    """
    from scipy import stats

    ordered = np.sort(np.asarray(values, np.float64))
    number = ordered.size
    middle = ordered[(number - 1) // 2], ordered[number // 2]
    value = float(middle[0]) if middle[0] == middle[1] else float(np.mean(middle))
    ranks = [
        k for k in range(1, number // 2 + 1) if 1 - 2 * stats.binom.cdf(k - 1, number, 0.5) >= level
    ]
    if not ranks:
        return Interval(value)
    return Interval(value, float(ordered[ranks[-1] - 1]), float(ordered[number - ranks[-1]]))


def sign_flip(values: ArrayLike) -> float:
    """Return the two-sided p of the sign-flip test that paired differences are centred on zero.

    All ``2^n`` assignments of signs are tried, so the p is exact; ten differences of one sign give
    2/1024. With more than `MOST_EXACT` differences `DRAWS` random ones are, always the same, and
    the p is ``(1 + hits) / (1 + draws)`` (Phipson and Smyth 2010), never too small. Where a
    difference is infinite only signs can be compared, and that is what is done.

    Raises:
        ValueError: A difference is NaN.
    """
    given = np.asarray(values, np.float64)
    if np.isnan(given).any():
        raise ValueError(f"sign_flip needs numbers, got {given}")
    if not given.size:
        return 1.0
    if not np.isfinite(given).all():
        given = np.sign(given)
    least = abs(float(given.sum())) - 1e-12 * max(1.0, float(np.abs(given).sum()))
    if given.size > MOST_EXACT:
        signs = np.random.default_rng(_SEED).choice(np.array([-1.0, 1.0]), (DRAWS, given.size))
        return (1 + int((np.abs(signs @ given) >= least).sum())) / (1 + DRAWS)
    sums = np.zeros(1)
    for value in given:
        sums = np.concatenate([sums + value, sums - value])
    return float(np.mean(np.abs(sums) >= least))


def drawn_signs(number: int) -> str:
    """Say where a p of so many differences rests on random signs; empty where it is exact."""
    return f"p over {DRAWS:,} random signs" if number > MOST_EXACT else ""


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted over a family by Holm's step-down method (1979).

    What has no p (NaN) is no member of the family, and stays NaN.

    >>> holm({"a": 0.01, "b": 0.04, "c": math.nan})
    {'a': 0.02, 'b': 0.04, 'c': nan}
    """
    known = {name: p for name, p in p_values.items() if not math.isnan(p)}
    adjusted, least = {}, 0.0
    for rank, name in enumerate(sorted(known, key=lambda name: known[name])):
        least = max(least, min(1.0, (len(known) - rank) * known[name]))
        adjusted[name] = least
    return {name: adjusted.get(name, math.nan) for name in p_values}


def not_worse(values: ArrayLike, margin: float, *, level: float = 0.975) -> tuple[float, bool]:
    """Test non-inferiority of paired gains.

    Args:
        values: Treated minus baseline, larger is better, shape ``(n,)``.
        margin: Largest loss that still counts as none, ≥ 0.
        level: One-sided confidence.

    Returns:
        The lower confidence bound of the mean gain (Student), and whether it is above ``−margin``.
        A run without a number (it failed) makes the bound −∞.
    """
    from scipy import stats

    given = np.asarray(values, np.float64)
    if given.size < 2 or not np.isfinite(given).all():
        return -math.inf, False
    reach = float(stats.t.ppf(level, given.size - 1)) * _standard_error(given)
    bound = float(given.mean()) - reach
    return bound, bool(bound >= -margin)


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1)) / math.sqrt(values.size)
