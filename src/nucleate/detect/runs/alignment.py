"""Which metric changes first: lags between changes of different metrics, in decades of tokens.

A lag says what came first, not what caused what. Where a change lies inside its interval is taken
as uniform, because readings on both sides of a change say no more than "between us".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Assessment
from nucleate.detect.runs.timing import Timing

Array = NDArray[np.float64]

CONFIDENCE = 0.95
NUM_DRAWS = 4000
MIN_SEEDS = 5
"""With fewer seeds a bootstrap over seeds is too narrow; their intervals are joined instead."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How long after one metric another one changes.

    Attributes:
        first, second: Names; the lag is positive when `second` changes later.
        lag, lo, hi: Decades, with an interval.
        leads: The name that changes first, or ``not resolved``.
        num_seeds: Seeds in which both changed.
        note: One sentence.
    """

    first: str
    second: str
    lag: float
    lo: float
    hi: float
    leads: str
    num_seeds: int
    note: str


@dataclass(frozen=True, slots=True)
class Placed:
    """One metric on the common axis.

    Attributes:
        at, lo, hi: Median location over seeds and the hull of their intervals, on the axis of the
            assessments (tokens).
        after: Metrics that are shown to change before this one.
        num_seeds: Seeds in which it changed.
    """

    metric: str
    at: float
    lo: float
    hi: float
    after: tuple[str, ...]
    num_seeds: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """Changes of several metrics on one axis.

    Attributes:
        order: Metrics from the first to the last change. Neighbours need not be resolved: what is
            shown stands in each one's `after`.
        lags: All pairs.
        left_out: Metrics without a located change in any run.
        note: One sentence.
    """

    order: tuple[Placed, ...]
    lags: tuple[Lag, ...]
    left_out: tuple[str, ...]
    note: str


def align(
    assessed: Mapping[str, Sequence[Assessment | None]],
    *,
    simultaneous: bool = True,
    seed: int = 0,
) -> Alignment:
    """Put the changes of several metrics on one axis and say which lead.

    Args:
        assessed: Assessments by metric, one per seed in the same order of seeds (a sequence of one
            for a single run; None where a seed has none). Seeds are paired.
        simultaneous: Widen the lags' intervals so that all hold together (Bonferroni).
        seed: Seed of the bootstrap over seeds, used from `MIN_SEEDS` seeds on.

    Raises:
        ValueError: When the numbers of seeds differ.

    >>> from nucleate.core import Verdict
    >>> def at(t): return Assessment("m", Verdict.STEP_LIKE, at=t, lo=t / 1.1, hi=t * 1.1)
    >>> align({"late": [at(1e6)], "early": [at(1e5)]}).order[0].metric
    'early'
    """
    if len({len(runs) for runs in assessed.values()}) > 1:
        raise ValueError("every metric needs one assessment (or None) for every seed")
    timings = {name: [_timing(one) for one in runs] for name, runs in assessed.items()}
    seen = {name: [t for t in runs if t is not None] for name, runs in timings.items()}
    names = sorted((n for n in seen if seen[n]), key=lambda n: _middle(seen[n]))
    pairs = list(combinations(names, 2))
    confidence = 1 - (1 - CONFIDENCE) / max(len(pairs), 1) if simultaneous else CONFIDENCE
    lags = tuple(_lag(a, b, timings[a], timings[b], confidence, seed) for a, b in pairs)
    order = tuple(
        Placed(
            name,
            _middle(seen[name]),
            min(t.lo for t in seen[name]),
            max(t.hi for t in seen[name]),
            tuple(
                lag.leads
                for lag in lags
                if name in (lag.first, lag.second) and lag.leads not in (name, "not resolved")
            ),
            len(seen[name]),
        )
        for name in names
    )
    left_out = tuple(name for name in assessed if not seen[name])
    return Alignment(order, lags, left_out, _in_words(lags, left_out))


def uniform_difference(a: float, b: float, confidence: float) -> float:
    """Return the half-width of the central interval of U − V, both uniform, with widths a and b.

    The density of U − V is a trapezoid (a triangle for a = b); its quantiles are closed forms.

    Args:
        a, b: Widths of the two intervals, not negative.
        confidence: Probability inside the interval.

    >>> round(uniform_difference(1.0, 1.0, 0.95), 4)
    0.7764
    """
    wide, narrow = max(a, b), min(a, b)
    if wide == 0.0:
        return 0.0
    tail = 0.5 * (1.0 - confidence)
    if tail <= narrow / (2.0 * wide):
        return 0.5 * (wide + narrow) - math.sqrt(2.0 * wide * narrow * tail)
    return wide * (0.5 - tail)


def _timing(assessment: Assessment | None) -> Timing | None:
    """Return a located change, or None."""
    if assessment is None:
        return None
    timing = Timing.of(assessment, math.inf)
    return None if math.isnan(timing.at) or timing.lo <= 0.0 else timing


def _middle(timings: Sequence[Timing]) -> float:
    """Return the median location, in decades and back."""
    return float(10.0 ** np.median([math.log10(t.at) for t in timings]))


def _lag(
    first: str,
    second: str,
    a: Sequence[Timing | None],
    b: Sequence[Timing | None],
    confidence: float,
    seed: int,
) -> Lag:
    both = [(s, t) for s, t in zip(a, b, strict=True) if s is not None and t is not None]
    if not both:
        note = f"{first} and {second} did not both change in one seed"
        return Lag(first, second, math.nan, math.nan, math.nan, "not resolved", 0, note)
    lag = float(np.median([math.log10(t.at / s.at) for s, t in both]))
    ends = [_seed_interval(s, t, confidence) for s, t in both]
    if len(both) < MIN_SEEDS:
        lo, hi = min(low for low, _ in ends), max(high for _, high in ends)
    else:
        lo, hi = _bootstrap(both, confidence, seed)
    lo, hi = min(lo, lag), max(hi, lag)
    leads = first if lo > 0 else second if hi < 0 else "not resolved"
    spread = f"{lag:+.2f} decades ({lo:+.2f} to {hi:+.2f})"
    if leads == "not resolved":
        note = f"which of {first} and {second} comes first is not resolved: {spread}"
    else:
        late = second if leads == first else first
        note = f"{leads} leads {late}: {spread}"
    return Lag(first, second, lag, lo, hi, leads, len(both), note)


def _seed_interval(a: Timing, b: Timing, confidence: float) -> tuple[float, float]:
    """Return the interval of log10(b) − log10(a) when both are uniform in their intervals."""
    (a_lo, a_hi), (b_lo, b_hi) = ((math.log10(t.lo), math.log10(t.hi)) for t in (a, b))
    middle = 0.5 * (b_lo + b_hi) - 0.5 * (a_lo + a_hi)
    half = uniform_difference(a_hi - a_lo, b_hi - b_lo, confidence)
    return middle - half, middle + half


def _bootstrap(
    both: Sequence[tuple[Timing, Timing]], confidence: float, seed: int
) -> tuple[float, float]:
    """Resample seeds, then locations inside their intervals; return the interval of the median."""
    rng = np.random.default_rng(seed)
    edges = np.log10([[s.lo, s.hi, t.lo, t.hi] for s, t in both])
    drawn = edges[rng.integers(0, len(both), (NUM_DRAWS, len(both)))]
    share = rng.random((*drawn.shape[:2], 2))
    a = drawn[..., 0] + share[..., 0] * (drawn[..., 1] - drawn[..., 0])
    b = drawn[..., 2] + share[..., 1] * (drawn[..., 3] - drawn[..., 2])
    tail = 0.5 * (1.0 - confidence)
    lo, hi = np.quantile(np.median(b - a, axis=1), [tail, 1.0 - tail])
    return float(lo), float(hi)


def _in_words(lags: Sequence[Lag], left_out: Sequence[str]) -> str:
    resolved = sum(lag.leads != "not resolved" for lag in lags)
    note = f"{resolved} of {len(lags)} pairs are resolved"
    if left_out:
        note += f"; no located change in {', '.join(left_out)}"
    return note + "; what comes first need not be a cause"
