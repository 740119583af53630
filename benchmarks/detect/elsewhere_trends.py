"""Smooth trends of the third generator, and the measure of smoothness that all of them pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import expit, ndtr

Rng = np.random.Generator
Trend = Callable[[np.ndarray], np.ndarray]
"""Values at log10(step), both of shape ``(n,)``."""

LEAST_RISE = 0.7
"""Decades that 10–90 % of every rise or fall takes."""

LEAST_BEND = 0.45
"""Decades that 10–90 % of every change of slope takes; a logistic's of width .7 takes .475."""

MOST_CURVED = np.log(10.0) ** 2
"""Second derivative per decade², in ranges: of a value proportional to the step, where it ends."""


def narrowest(x: np.ndarray, y: np.ndarray, least: float) -> float:
    """Return the smallest 10–90 % width among the monotone stretches of `y`.

    Args:
        x: Increasing positions, shape ``(n,)``.
        y: Values without noise, shape ``(n,)``.
        least: Stretches that change `y` by less are passed over.

    Returns:
        Width in the unit of `x`; infinite when no stretch is large enough.
    """
    sign = np.sign(np.diff(y))
    moving = np.flatnonzero(sign)
    turns = moving[1:][sign[moving[1:]] != sign[moving[:-1]]]
    edges = np.r_[0, turns, y.size - 1]
    width = np.inf
    for i in np.flatnonzero(np.abs(np.diff(y[edges])) >= max(least, 1e-12)):
        start, end = edges[i], edges[i + 1]
        part = (y[start : end + 1] - y[start]) / (y[end] - y[start])
        low, high = np.interp((0.1, 0.9), part, x[start : end + 1])
        width = min(width, float(high - low))
    return width


def is_smooth(trend: Trend, low: float, high: float) -> bool:
    """Whether a trend is smooth between two places in log10(step).

    Smooth means all of: every rise or fall of 2 % of the range or more, followed for a decade
    beyond either end so that it is seen whole, takes `LEAST_RISE` for its 10–90 %; every change of
    slope of 5 % of the range of slopes or more takes `LEAST_BEND` for its 10–90 %; the second
    derivative stays within `MOST_CURVED` ranges.
    """
    x = np.arange(low - 1.0, high + 1.0, 0.01)
    y = trend(x)
    inside = (x >= low) & (x <= high)
    span = float(np.ptp(y[inside]))
    if not np.all(np.isfinite(y)) or span < 1e-3 * float(np.abs(y[inside]).max()):
        return False
    slope = np.gradient(y, x)
    curvature = np.gradient(slope, x)[inside]
    slope = slope[inside]
    return bool(
        narrowest(x, y, 0.02 * span) >= LEAST_RISE
        and narrowest(x[inside], slope, 0.05 * float(np.ptp(slope))) >= LEAST_BEND
        and float(np.abs(curvature).max()) <= MOST_CURVED * span
    )


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """Draw a positive number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rise(rng: Rng, low: float, high: float, first: float = 0.0, last: float = 1.0) -> Trend:
    """Draw a rise from 0 to 1 that is half done in the given part of the readings."""
    at = low + (high - low) * rng.uniform(first, last)
    form = rng.integers(5)
    if form == 0:  # Hill's curve of any order in step
        order = log_uniform(rng, 0.4, 2.6)
        return lambda x: expit(np.log(10.0) * order * (x - at))
    if form == 1:  # thresholds that are log-normal in step
        sd = log_uniform(rng, 0.28, 1.3)
        return lambda x: ndtr((x - at) / sd)
    if form == 2:  # stretched relaxation in step
        order = log_uniform(rng, 0.35, 1.8)
        return lambda x: -np.expm1(-(10.0 ** (order * (x - at))))
    if form == 3:  # the exponential of a power law
        order = log_uniform(rng, 0.35, 1.8)
        return lambda x: np.exp(-(10.0 ** (-order * (x - at))))
    power = log_uniform(rng, 0.15, 3.0)  # a shifted power law
    return lambda x: 1.0 - (1.0 + 10.0 ** (x - at)) ** -power


def _law(rng: Rng, low: float, high: float) -> Trend:
    """A power law in shifted step, 1 at step 0 (or at the first reading)."""
    power, at = log_uniform(rng, 0.05, 0.9), low + (high - low) * rng.uniform(-0.4, 0.7)
    if rng.random() < 0.3:
        return lambda x: 10.0 ** (-power * (x - low))
    return lambda x: (1.0 + 10.0 ** (x - at)) ** -power


def scaling_law(rng: Rng, low: float, high: float) -> Trend:
    """A loss that falls to its irreducible part as a power of the step."""
    law, rest, size = _law(rng, low, high), rng.uniform(0.5, 3.5), rng.uniform(1.0, 8.0)
    return lambda x: rest + size * law(x)


def two_laws(rng: Rng, low: float, high: float) -> Trend:
    """A loss on two sources of text, each with its own power law."""
    one, two, share = _law(rng, low, high), _law(rng, low, high), rng.uniform(0.1, 0.9)
    return lambda x: 2.0 + 6.0 * (share * one(x) + (1.0 - share) * two(x))


def broken_law(rng: Rng, low: float, high: float) -> Trend:
    """A power law whose exponent goes slowly over into another."""
    before, after = rng.uniform(0.0, 0.5, 2)
    at, soft = low + (high - low) * rng.uniform(0.1, 0.9), rng.uniform(0.4, 1.0)
    power = (after - before) * soft
    return lambda x: 10.0 ** (-before * (x - low)) * (1.0 + 10.0 ** ((x - at) / soft)) ** -power


def relaxations(rng: Rng, low: float, high: float) -> Trend:
    """A loss made of modes that each decay exponentially in the step (not in its logarithm)."""
    num = int(rng.integers(2, 7))
    times = rng.uniform(low - 0.3, high + 0.3, num)
    weights = rng.dirichlet(np.ones(num))
    return lambda x: 1.5 + 5.0 * np.exp(-(10.0 ** (x[:, None] - times))) @ weights


def many_skills(rng: Rng, low: float, high: float) -> Trend:
    """A share of 20 to 200 skills, learnt at log-normal times, none of them at once."""
    num = int(log_uniform(rng, 20, 200))
    middle, spread = low + (high - low) * rng.uniform(0.2, 0.9), log_uniform(rng, 0.2, 1.2)
    times, orders = rng.normal(middle, spread, num), rng.uniform(1.0, 2.5, num)
    weights = rng.dirichlet(np.full(num, 2.0))
    return lambda x: expit(np.log(10.0) * orders * (x[:, None] - times)) @ weights


def zipf_facts(rng: Rng, low: float, high: float) -> Trend:
    """A share of facts known, seen as often as Zipf's law says, each known after a few sights."""
    rank = np.geomspace(1.0, 10.0 ** rng.uniform(2.0, 6.0), 120)
    exponent, last = rng.uniform(0.7, 1.3), rng.uniform(-0.2, 1.2)
    weights = rank ** (1.0 - rng.uniform(0.6, 1.4))
    weights = weights / weights.sum()
    rate = rank**-exponent
    middle = low + (high - low) * last - 0.5 * float(np.log10(rate[0] / rate[-1]))
    return lambda x: -np.expm1(-(10.0 ** (x[:, None] - middle)) * rate) @ weights


def choices(rng: Rng, low: float, high: float) -> Trend:
    """Accuracy among k choices, a softmax of a margin that grows from 0: chance at first."""
    others = int(rng.choice((1, 1, 2, 3, 3, 4, 9)))
    grown, size = rise(rng, low, high, 0.2, 1.3), rng.uniform(1.0, 6.0)
    return lambda x: expit(size * grown(x) - np.log(others))


def probit(rng: Rng, low: float, high: float) -> Trend:
    """Accuracy as the normal probability of a sensitivity, between chance and a lapse rate."""
    chance, lapse = float(rng.choice((0.0, 0.0, 0.25, 0.5))), rng.uniform(0.0, 0.3)
    grown, size = rise(rng, low, high, 0.1, 1.1), rng.uniform(1.0, 4.0)
    start = rng.uniform(-2.0, 0.0)
    return lambda x: chance + (1.0 - chance - lapse) * ndtr(start + size * grown(x))


def exact_match(rng: Rng, low: float, high: float) -> Trend:
    """Probability that all of 1 to 40 tokens are right when each one's loss is a power law."""
    length, rest = log_uniform(rng, 1.0, 40.0), log_uniform(rng, 0.001, 0.03)
    law, size = _law(rng, low, high), log_uniform(rng, 0.2, 4.0)
    return lambda x: np.exp(-length * (rest + size * law(x)))


def any_of_many(rng: Rng, low: float, high: float) -> Trend:
    """Share of problems solved in one of k tries (the complement of all tries failing)."""
    tries, top = log_uniform(rng, 1.0, 30.0), rng.uniform(0.1, 0.9)
    grown = rise(rng, low, high, 0.3, 1.2)
    return lambda x: 1.0 - (1.0 - top * grown(x)) ** tries


def perplexity(rng: Rng, low: float, high: float) -> Trend:
    """The exponential of a loss."""
    law, rest, size = _law(rng, low, high), rng.uniform(1.0, 3.0), rng.uniform(0.3, 3.0)
    return lambda x: np.exp(rest + size * law(x))


def logarithm(rng: Rng, low: float, high: float) -> Trend:
    """The logarithm of a quantity that grows or falls to a floor, such as a rate of errors."""
    grown, floor = rise(rng, low, high, 0.0, 1.2), log_uniform(rng, 0.003, 0.3)
    sign = float(rng.choice((-1.0, 1.0)))
    return lambda x: sign * np.log10(floor + grown(x))


def forgetting(rng: Rng, low: float, high: float) -> Trend:
    """A rise that is lost again in part, as of likeness to n-gram statistics."""
    grown, lost = rise(rng, low, high, 0.0, 0.6), rise(rng, low, high, 0.3, 1.1)
    share = rng.uniform(0.15, 0.95)
    return lambda x: grown(x) * (1.0 - share * lost(x))


def compound(rng: Rng, low: float, high: float) -> Trend:
    """A task that needs two or three skills at once."""
    parts = [rise(rng, low, high, 0.1, 1.0) for _ in range(int(rng.integers(2, 4)))]
    return lambda x: np.prod([part(x) for part in parts], axis=0)


def calibration(rng: Rng, low: float, high: float) -> Trend:
    """An error of calibration: how far confidence and accuracy, which rise apart, differ."""
    said, right = rise(rng, low, high, 0.0, 0.8), rise(rng, low, high, 0.1, 1.0)
    share, least = rng.uniform(0.5, 1.2), rng.uniform(0.05, 0.3)
    return lambda x: np.hypot(share * said(x) - right(x), least)


def ratio(rng: Rng, low: float, high: float) -> Trend:
    """One loss over another, or its share in the sum of both."""
    one, two = scaling_law(rng, low, high), scaling_law(rng, low, high)
    if rng.random() < 0.5:
        return lambda x: one(x) / two(x)
    return lambda x: one(x) / (one(x) + two(x))


def oscillating(rng: Rng, low: float, high: float) -> Trend:
    """A loss that swings slowly, over 2.5 decades or more, about its power law."""
    law = _law(rng, low, high)
    size, period, phase = log_uniform(rng, 0.02, 0.5), rng.uniform(2.5, 5.0), rng.uniform(0.0, 6.3)
    return lambda x: 2.0 + 3.0 * (law(x) + size * np.sin(2.0 * np.pi * x / period + phase))


def drifting(rng: Rng, low: float, high: float) -> Trend:
    """A rise or a loss with a drift, straight in step, in its square root or in its logarithm."""
    base = rise(rng, low, high) if rng.random() < 0.5 else _law(rng, low, high)
    size, power = float(rng.choice((-1.0, 1.0))) * log_uniform(rng, 0.05, 1.5), rng.uniform(0.3, 1)
    if rng.random() < 0.4:
        return lambda x: base(x) + size * (x - low) / (high - low)
    return lambda x: base(x) + size * 10.0 ** (power * (x - high))


def overfitting(rng: Rng, low: float, high: float) -> Trend:
    """A held-out loss that falls and, past its best, grows again as a power of the step."""
    law, power, size = _law(rng, low, high), rng.uniform(0.2, 0.9), log_uniform(rng, 0.05, 1.5)
    return lambda x: 1.0 + 3.0 * (law(x) + size * 10.0 ** (power * (x - high)))


def spline(rng: Rng, low: float, high: float) -> Trend:
    """No law at all: a cubic spline through a random walk with knots a decade or more apart."""
    knots = np.arange(low - 2.5, high + 4.0, rng.uniform(1.0, 1.7))
    walk = np.cumsum(rng.normal(rng.uniform(-0.8, 0.8), 1.0, knots.size))
    through = CubicSpline(knots, walk)
    return lambda x: through(x)


def stages(rng: Rng, low: float, high: float) -> Trend:
    """A loss that falls in two or three broad stages with a rest between them."""
    num = int(rng.integers(2, 4))
    weights = rng.dirichlet(np.full(num, 3.0))
    cuts = np.linspace(0.0, 1.0, num + 1)
    falls = [rise(rng, low, high, cuts[i], cuts[i + 1]) for i in range(num)]
    return lambda x: 6.0 - 4.0 * np.sum([w * f(x) for w, f in zip(weights, falls, strict=True)], 0)


def growing_norm(rng: Rng, low: float, high: float) -> Trend:
    """A norm that starts from its initial value and grows as a power of the step."""
    at, power = low + (high - low) * rng.uniform(0.0, 0.9), rng.uniform(0.15, 0.9)
    return lambda x: (1.0 + 10.0 ** (x - at)) ** power


def nearly_straight(rng: Rng, low: float, high: float) -> Trend:
    """A line in log step with a gentle bow."""
    sign, bow = float(rng.choice((-1.0, 1.0))), rng.uniform(-0.6, 0.6)
    return lambda x: sign * ((x - low) / (high - low) + bow * ((x - low) / (high - low)) ** 2)


TRENDS: dict[str, Callable[[Rng, float, float], Trend]] = {
    each.__name__.replace("_", " "): each
    for each in (
        scaling_law,
        two_laws,
        broken_law,
        relaxations,
        many_skills,
        zipf_facts,
        choices,
        probit,
        exact_match,
        any_of_many,
        perplexity,
        logarithm,
        forgetting,
        compound,
        calibration,
        ratio,
        oscillating,
        drifting,
        overfitting,
        spline,
        stages,
        growing_norm,
        nearly_straight,
    )
}
"""Families by name: each takes a generator and the first and last log10(step) of the readings."""

SHARES = (
    "many skills",
    "zipf facts",
    "choices",
    "probit",
    "exact match",
    "any of many",
    "forgetting",
    "compound",
)
"""Families with values between 0 and 1 that can be counted over items."""


def draw_trend(
    rng: Rng, low: float, high: float, family: str | None = None, tries: int = 200
) -> tuple[str, Trend]:
    """Draw a family (unless it is given), then one of its trends until one is smooth.

    Raises:
        RuntimeError: No draw out of `tries` is smooth.
    """
    name = family or str(rng.choice(list(TRENDS)))
    for _ in range(tries):
        trend = TRENDS[name](rng, low, high)
        if is_smooth(trend, low, high):
            return name, trend
    raise RuntimeError(f"{name}: no smooth trend from {low:g} to {high:g} in {tries} draws")
