"""Null, power and coverage of the detector on curves whose truth is known (science notes, T7).

Bands are binomial, so that a rate can fail; seeds differ from those the detector was tuned on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import binom

from nucleate.core import Curve, Level, Step, Verdict
from nucleate.detect import ALPHA, assess, assess_curves, sharpness
from nucleate.detect.cache import GridCache

pytestmark = pytest.mark.slow

POINTS = (30, 45, 60, 80)
SMOOTH_KINDS = ("power law", "two power laws", "broad logistic", "exponential", "wsd", "cosine")
COVERAGE_REACH = 0.2


@lru_cache
def grid(num, jittered):
    """log10(tokens), evenly or unevenly spaced, and the null distributions on it."""
    x = np.linspace(5.0, 8.0 + num / 80.0, num)
    if jittered:
        x = np.sort(x + np.random.default_rng(num).uniform(-0.3, 0.3, num) * (x[1] - x[0]))
    return x, GridCache(0.40, 0, 500)


def logistic(x, centre, width):
    return 1.0 / (1.0 + np.exp(-np.clip(2 * np.log(9) * (x - centre) / width, -60, 60)))


def power_law(t, rng, low, high, steepest):
    return (1.0 + t / 10.0 ** rng.uniform(low, high)) ** -rng.uniform(0.2, steepest)


def smooth(x, kind, rng):
    """A smooth learning curve of range about 1."""
    u = x - x[0]
    span, t, done = u[-1], 10.0**u, 10.0 ** (u - u[-1])
    if kind == "flat":
        return np.zeros_like(x)
    if kind == "broad logistic":
        return logistic(u, rng.uniform(0.5, span - 0.5), rng.uniform(1.0, 2.0))
    if kind == "exponential":
        return np.exp(-t / 10.0 ** rng.uniform(0.5, span - 0.3))
    if kind == "two power laws":
        share = rng.uniform(0.3, 0.7)
        early = power_law(t, rng, 0.0, 0.4 * span, 1.5)
        return share * early + (1 - share) * power_law(t, rng, 0.3 * span, 0.9 * span, 1.5)
    curve = power_law(t, rng, 0.0, 0.6 * span, 1.2)
    if kind == "wsd":
        start = rng.uniform(0.7, 0.9)
        curve -= rng.uniform(0.02, 0.1) * np.maximum(0.0, (done - start) / (1 - start))
    if kind == "cosine":
        curve -= rng.uniform(0.02, 0.1) * (1 - np.cos(np.pi * done)) / 2
    return curve


def noise(x, rng):
    """AR(1) noise (correlation 0 to .5) of uneven strength, deviation .003 to .05."""
    rho, slope = rng.choice([0.0, 0.3, 0.5]), rng.choice([-0.2, 0.0, 0.2])
    white = rng.standard_normal(x.size)
    for i in range(1, x.size):
        white[i] = rho * white[i - 1] + np.sqrt(1 - rho**2) * white[i]
    deviation = 10.0 ** rng.uniform(-2.5, -1.3)
    return deviation, deviation * white * 10.0 ** (slope * (x - x.mean()))


def test_false_alarms_on_smooth_curves_stay_at_the_promised_rate():
    rng = np.random.default_rng(90001)
    num, alarms = 280, []
    for index in range(num):
        x, cache = grid(POINTS[index % 4], bool(index % 3))
        kind = (*SMOOTH_KINDS, "flat")[index % 7]
        found = assess(10**x, smooth(x, kind, rng) + noise(x, rng)[1], cache=cache)
        if found.transitions:
            alarms.append((kind, found.note))
    assert len(alarms) <= binom.ppf(0.99, num, ALPHA), alarms


def test_curves_of_few_readings_raise_no_more_false_alarms():
    """Shorter than any curve that the network was trained on."""
    rng = np.random.default_rng(90006)
    num, alarms = 140, 0
    for index in range(num):
        x, cache = grid(8 + index % 7, False)
        kind = (*SMOOTH_KINDS, "flat")[index // 7 % 7]
        found = assess(10**x, smooth(x, kind, rng) + noise(x, rng)[1], cache=cache)
        alarms += bool(found.transitions)
    assert alarms <= binom.ppf(0.99, num, ALPHA)


def test_flat_noisy_curves_are_not_said_to_change():
    rng = np.random.default_rng(90002)
    num, changed = 200, 0
    for index in range(num):
        x, cache = grid(POINTS[index % 4], False)
        changed += assess(10**x, noise(x, rng)[1], cache=cache).verdict is not Verdict.SMOOTH
    assert changed <= binom.ppf(0.99, num, 0.02)


@lru_cache
def jumps():
    """Assess 200 clear jumps: (10–90 width, true location, truth within interval or None)."""
    rng = np.random.default_rng(90003)
    out = []
    while len(out) < 200:
        x, cache = grid(POINTS[len(out) % 4], bool(len(out) % 3))
        width, centre = rng.uniform(0.03, 0.3), rng.uniform(x[0] + 0.5, x[-1] - 0.5)
        jump = rng.uniform(0.1, 0.6) * rng.choice([-1, 1]) * logistic(x, centre, width)
        deviation, wiggle = noise(x, rng)
        quartic = np.vander(x - x.mean(), 5)
        beyond = jump - quartic @ np.linalg.lstsq(quartic, jump, rcond=None)[0]
        if np.linalg.norm(beyond) < 8.0 * deviation:
            continue
        kind = ("power law", "two power laws", "broad logistic", "flat")[rng.integers(4)]
        found = assess(10**x, smooth(x, kind, rng) + jump + wiggle, cache=cache).transitions
        near = [c for c in found if abs(np.log10(c.at) - centre) < COVERAGE_REACH]
        covered = near[0].lo <= 10**centre <= near[0].hi if near else None
        out.append((width, covered, np.log10(near[0].hi / near[0].lo) if near else np.nan))
    return out


def test_clear_jumps_are_found():
    narrow = [covered is not None for width, covered, _ in jumps() if width < 0.15]
    everything = [covered is not None for _, covered, _ in jumps()]
    assert sum(narrow) >= binom.ppf(0.01, len(narrow), 0.90)
    assert sum(everything) >= binom.ppf(0.01, len(everything), 0.84)


def test_intervals_cover_the_truth_and_are_not_wide():
    covered = [hit for _, hit, _ in jumps() if hit is not None]
    lengths = [length for _, hit, length in jumps() if hit is not None]
    assert sum(covered) >= binom.ppf(0.01, len(covered), 0.95)
    assert np.median(lengths) < 0.12


def test_panels_of_smooth_metrics_seldom_hold_a_single_claim():
    """Family-wise: 12 panels of 20 null curves (Holm on another detector failed 3 of 12)."""
    rng = np.random.default_rng(90004)
    claims = 0
    for panel in range(12):
        x, _ = grid(POINTS[panel % 4], False)
        steps = tuple(Step(step=i, tokens=int(t)) for i, t in enumerate(10**x))
        curves = {}
        for index in range(20):
            values = smooth(x, (*SMOOTH_KINDS, "flat")[index % 7], rng) + noise(x, rng)[1]
            name = f"m{index}.loss"
            curves[name] = Curve(
                name, Level.SYNTAX, "nats", np.nan, steps, tuple(values), (np.nan,) * x.size
            )
        claims += any(found.transitions for found in assess_curves(curves).values())
    assert claims <= binom.ppf(0.99, 12, 0.05)


@pytest.mark.parametrize(("amplitude", "least"), [(0.0, 0.0), (0.4, 0.9)])
def test_the_power_law_cross_check_has_its_published_size_and_power(amplitude, least):
    """40 points over 1 to 1.4e5 steps, noise .01: none at ΔBIC > 20, all at amplitude .4."""
    rng = np.random.default_rng(90005)
    steps = np.logspace(0, np.log10(1.4e5), 40)
    hits = 0
    for _ in range(25):
        centre = rng.uniform(1.5, 4.0)
        values = 0.5 * (1 + steps / 10) ** -0.5 + 0.5 * (1 + steps / 3000) ** -0.8
        values -= amplitude * logistic(np.log10(steps), centre, 0.35)
        result = sharpness(steps, values + 0.01 * rng.standard_normal(40))
        close = abs(np.log10(result.at) - centre) < 0.1
        hits += result.delta_bic > 20.0 and (close or amplitude == 0.0)
    if amplitude == 0.0:
        assert hits <= binom.ppf(0.99, 25, 0.025)
    else:
        assert hits >= 25 * least
