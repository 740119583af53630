"""When a model is closest to n-grams: peaks of alignment, believed only where it falls again.

Source: Michaelov, Levy and Bergen 2025, "Language Model Behavioral Phases are Consistent Across
Architecture, Training Data, and Scale"; Belrose et al. 2024, "Neural Networks Learn Statistics of
Increasing Complexity".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_FALL = 0.01
"""A fall from the peak to the last reading that is no larger says nothing (correlation or nats)."""

NUM_BOOTSTRAP = 1000


@dataclass(frozen=True, slots=True)
class NgramPeak:
    """Where alignment with n-grams of one order is best.

    Attributes:
        verdict: ``peak``; ``no peak`` when alignment is best at an edge of the readings or does not
            fall afterwards; ``not enough readings``.
        at: Step of the best reading of the mean over seeds (NaN without a verdict ``peak``).
        lo, hi: The readings on both sides of it, made wider by a bootstrap over seeds.
        best: Value there.
        fall: How far it falls from there to the last reading, positive, and its 95 % interval over
            seeds (NaN for one seed).
        per_seed: Step of the best reading of each seed.
        note: One sentence.
    """

    verdict: str
    at: float
    lo: float
    hi: float
    best: float
    fall: float
    fall_interval: tuple[float, float]
    per_seed: tuple[float, ...]
    note: str

    @property
    def unanimous(self) -> bool:
        """Whether every seed has its best reading at the same step."""
        return len(set(self.per_seed)) == 1


def ngram_peak(
    steps: ArrayLike,
    values: ArrayLike,
    *,
    measure: Literal["correlation", "kl"] = "correlation",
    min_fall: float = MIN_FALL,
    seed: int = 0,
) -> NgramPeak:
    """Find the step at which a model is closest to n-grams of one order.

    The peak of r_n(t) (or the dip of KL_n(t)) is a phase only if alignment gets worse afterwards:
    a curve that keeps rising is best at its end whatever it measures.

    Args:
        steps: Steps or tokens of the readings, shape ``(n,)``, increasing.
        values: Alignment, shape ``(n,)`` or ``(seeds, n)``.
        measure: ``correlation`` (higher is closer) or ``kl`` (lower is closer).
        min_fall: Fall after the peak that must be exceeded, in the measure's unit.
        seed: Seed of the bootstrap over seeds.

    Raises:
        ValueError: When the shapes do not fit, steps do not increase or values are not finite.

    >>> peak = ngram_peak([1, 2, 4, 8, 16], [0.0, 0.4, 0.9, 0.7, 0.5])
    >>> peak.verdict, peak.at, peak.lo, peak.hi
    ('peak', 4.0, 2.0, 8.0)
    """
    t, curves = _checked(steps, values)
    if measure == "kl":
        curves = -curves
    per_seed = tuple(float(t[i]) for i in np.argmax(curves, axis=1))
    if t.size < 3:
        return _none("not enough readings", per_seed, "a peak needs at least three readings")
    mean = curves.mean(axis=0)
    index = int(np.argmax(mean))
    fall, interval = _fall(curves, index, seed)
    if index in (0, t.size - 1):
        edge = "first" if index == 0 else "last"
        note = f"alignment is best at the {edge} reading, so no peak was passed"
        return _none("no peak", per_seed, note, fall, interval)
    if fall <= min_fall or interval[0] <= 0.0:
        note = f"alignment falls by only {fall:.3g} after step {t[index]:g}, so no peak is shown"
        return _none("no peak", per_seed, note, fall, interval)
    lo, hi = _bracket(t, curves, seed)
    best = float(mean[index]) * (-1.0 if measure == "kl" else 1.0)
    note = f"closest at step {t[index]:g} ({lo:g}–{hi:g}), then worse by {fall:.2g}"
    if len(per_seed) > 1:
        step, count = Counter(per_seed).most_common(1)[0]
        note += f"; {count} of {len(per_seed)} seeds at step {step:g}"
    return NgramPeak("peak", float(t[index]), lo, hi, best, fall, interval, per_seed, note)


@dataclass(frozen=True, slots=True)
class PeakOrder:
    """Whether peaks of rising order n come one after the other.

    Attributes:
        strict: Every peak is there, and each is at a later reading than the one before.
        separated: The same, and the intervals of neighbouring peaks do not overlap.
        seeds_in_order: Number of seeds whose own best readings are strictly ordered.
        num_seeds: Number of seeds that all orders share (0 when they differ in number).
        note: One sentence.
    """

    strict: bool
    separated: bool
    seeds_in_order: int
    num_seeds: int
    note: str


def peak_order(peaks: Sequence[NgramPeak]) -> PeakOrder:
    """Test whether peaks follow one another: 1-grams, then 2-grams, then 3-grams.

    Args:
        peaks: Peaks by rising n, of the same seeds in the same order.

    Raises:
        ValueError: With fewer than two peaks.
    """
    if len(peaks) < 2:
        raise ValueError(f"an order needs at least two peaks, got {len(peaks)}")
    counts = {len(peak.per_seed) for peak in peaks}
    num_seeds = counts.pop() if len(counts) == 1 else 0
    rows = [[peak.per_seed[i] for peak in peaks] for i in range(num_seeds)]
    in_order = sum(_rises(row) for row in rows)
    missing = [n for n, peak in enumerate(peaks, start=1) if peak.verdict != "peak"]
    if missing:
        note = f"no peak for entry {', '.join(map(str, missing))}, so no order is claimed"
        return PeakOrder(False, False, in_order, num_seeds, note)
    strict = _rises([peak.at for peak in peaks])
    separated = strict and all(a.hi <= b.lo for a, b in pairwise(peaks))
    places = " → ".join(f"{peak.at:g}" for peak in peaks)
    note = f"peaks at {places}: {'in strict order' if strict else 'not in strict order'}"
    if num_seeds > 1:
        note += f", {in_order} of {num_seeds} seeds"
    if strict and not separated:
        note += "; the intervals of neighbours overlap, for want of readings or of agreeing seeds"
    return PeakOrder(strict, separated, in_order, num_seeds, note)


def _checked(steps: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    t, v = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    v = v[None, :] if v.ndim == 1 else v
    if t.ndim != 1 or v.ndim != 2 or v.shape[1] != t.size or v.size == 0:
        raise ValueError(f"need steps (n,) and values (seeds, n), got {t.shape} and {v.shape}")
    if np.any(np.diff(t) <= 0):
        raise ValueError("steps must increase")
    if not np.all(np.isfinite(v)):
        raise ValueError("values must be finite: leave out readings that are missing in a seed")
    return t, v


def _fall(curves_sn: Array, index: int, seed: int) -> tuple[float, tuple[float, float]]:
    """Return the fall of the mean after its peak and the interval over seeds, peak refitted."""
    mean = curves_sn.mean(axis=0)
    fall = float(mean[index] - mean[-1])
    if curves_sn.shape[0] < 2:
        return fall, (math.nan, math.nan)
    means = _resampled(curves_sn, seed)
    falls = means[:, index] - means[:, -1]
    lo, hi = np.quantile(falls, [0.025, 0.975])
    return fall, (float(lo), float(hi))


def _bracket(t: Array, curves_sn: Array, seed: int) -> tuple[float, float]:
    """Return the readings around the best one, over all resamples of seeds."""
    chosen = np.argmax(_resampled(curves_sn, seed), axis=1)
    low, high = np.quantile(chosen, [0.025, 0.975], method="inverted_cdf")
    return float(t[max(int(low) - 1, 0)]), float(t[min(int(high) + 1, t.size - 1)])


def _resampled(curves_sn: Array, seed: int) -> Array:
    """Return mean curves of seeds drawn with replacement, shape ``(NUM_BOOTSTRAP, n)``."""
    rng = np.random.default_rng(seed)
    num = curves_sn.shape[0]
    weights = rng.multinomial(num, np.full(num, 1.0 / num), size=NUM_BOOTSTRAP) / num
    return np.asarray(weights @ curves_sn)


def _none(
    verdict: str,
    per_seed: tuple[float, ...],
    note: str,
    fall: float = math.nan,
    interval: tuple[float, float] = (math.nan, math.nan),
) -> NgramPeak:
    return NgramPeak(
        verdict, math.nan, math.nan, math.nan, math.nan, fall, interval, per_seed, note
    )


def _rises(places: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(places))
