"""Does A come before B? Paired over seeds: exact sign test and differences in decades.

Seeds are the unit of evidence: within a seed A and B share data order and initialisation, so their
difference is taken first. Sources: Dixon and Mood 1946 (sign test); Efron and
Tibshirani 1993, chapter 13 (percentile bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.runs.timing import Timing

Array = NDArray[np.float64]

ALPHA = 0.05
MIN_SEEDS = 3
"""With fewer seeds nothing is said, not even an interval."""

SEEDS_FOR_VERDICT = 5
"""Even agreeing seeds give a one-sided p of 2^-n: the first below 5 % is n = 5."""

NUM_BOOTSTRAP = 4000
WAYS = ("before", "after")


@dataclass(frozen=True, slots=True)
class Ordering:
    """Whether A comes before B, over seeds.

    Attributes:
        first, second: Names of A and B.
        differences: log10(B) − log10(A) of each seed, in decades: positive when A comes first,
            infinite when only one of them happened, NaN when undefined.
        median, lo, hi: Their median with its 95 % bootstrap interval over seeds (NaN: refused).
        before, after, undecided: Seeds whose intervals say A first, B first, or overlap.
        p_before: Exact one-sided sign test of "A first" over the decided seeds.
        p_two_sided: The same without a direction.
        q: p_before adjusted over a table of pairs (equal to p_before for a single pair).
        verdict: ``before``, ``after``, ``not distinguishable`` or ``not enough seeds``.
        warnings: Reasons to distrust the comparison.
        note: One sentence.
    """

    first: str
    second: str
    differences: tuple[float, ...]
    median: float
    lo: float
    hi: float
    before: int
    after: int
    undecided: int
    p_before: float
    p_two_sided: float
    q: float
    verdict: str
    warnings: tuple[str, ...]
    note: str


def sign_test(positive: int, negative: int) -> tuple[float, float]:
    """Return exact one-sided (more positive) and two-sided p of the sign test; ties left out.

    Source: Dixon and Mood 1946.

    >>> sign_test(5, 0)
    (0.03125, 0.0625)
    """
    if positive < 0 or negative < 0:
        raise ValueError(f"counts cannot be negative, got {positive} and {negative}")
    num = positive + negative

    def at_least(k: int) -> float:
        return float(sum(math.comb(num, i) for i in range(k, num + 1)) / 2**num)

    return at_least(positive), min(1.0, 2.0 * at_least(max(positive, negative)))


def ordering(
    first: Sequence[Timing],
    second: Sequence[Timing],
    *,
    names: tuple[str, str] = ("A", "B"),
    grids: tuple[ArrayLike, ArrayLike] | None = None,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Ordering:
    """Test whether A comes before B with seeds as pairs.

    A seed counts for an order only when its two intervals do not overlap. "A before B" is the
    hypothesis and is tested one-sided; the opposite order must pass the two-sided test.

    Args:
        first, second: Timings of A and of B, one per seed, in the same order of seeds.
        grids: Positions of the readings of A and of B; no interval is narrower than the readings
            around it, and a warning is given when the two differ there.
        alpha: Size of the tests.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: When the numbers of seeds differ.

    >>> a = [Timing(1e5, 9e4, 1.1e5)] * 5
    >>> b = [Timing(1e6, 9e5, 1.1e6)] * 5
    >>> ordering(a, b).verdict
    'before'
    """
    if len(first) != len(second):
        raise ValueError(f"timings must be paired by seed, got {len(first)} and {len(second)}")
    warnings: tuple[str, ...] = ()
    if grids is not None:
        grid_a, grid_b = (np.unique(np.asarray(grid, dtype=np.float64)) for grid in grids)
        warnings = _grid_warnings(first, second, grid_a, grid_b)
        first, second = [t.widened(grid_a) for t in first], [t.widened(grid_b) for t in second]
    signs = [_sign(a, b) for a, b in zip(first, second, strict=True)]
    before, after = signs.count(1), signs.count(-1)
    differences = tuple(_difference(a, b) for a, b in zip(first, second, strict=True))
    median, lo, hi = _median_interval(np.array(differences), seed)
    one, two = sign_test(before, after)
    result = Ordering(
        *names, differences, median, lo, hi, before, after, signs.count(0), one, two, one,
        "", warnings, "",
    )  # fmt: skip
    return judged(result, one, two, alpha)


def _sign(a: Timing, b: Timing) -> int:
    """Return 1 when A is surely first, −1 when B is, 0 when their intervals overlap."""
    first, second = a.hi <= b.lo, b.hi <= a.lo
    return int(first) - int(second)


def _difference(a: Timing, b: Timing) -> float:
    """Return log10(B) − log10(A); infinite when censoring decides it, NaN when it does not."""
    if not math.isnan(a.at) and not math.isnan(b.at):
        return math.log10(b.at) - math.log10(a.at)
    sign = _sign(a, b)
    return sign * math.inf if sign else math.nan


def _median_interval(differences: Array, seed: int) -> tuple[float, float, float]:
    """Return the median over seeds and its 95 % percentile-bootstrap interval."""
    known = differences[~np.isnan(differences)]
    if known.size < MIN_SEEDS:
        return math.nan, math.nan, math.nan
    draws = np.random.default_rng(seed).choice(known, (NUM_BOOTSTRAP, known.size))
    lo, hi = np.quantile(_medians(draws), [0.025, 0.975], method="inverted_cdf")
    return float(_medians(known[None, :])[0]), float(lo), float(hi)


def _medians(rows: Array) -> Array:
    """Return the median of each row; between a finite and an infinite value, the finite one."""
    ordered = np.sort(rows, axis=1)
    low, high = ordered[:, (rows.shape[1] - 1) // 2], ordered[:, rows.shape[1] // 2]
    finite = np.isfinite(low) & np.isfinite(high)
    with np.errstate(invalid="ignore"):
        return np.where(finite, 0.5 * (low + high), np.where(np.isfinite(high), high, low))


def judged(result: Ordering, one: float, two: float, alpha: float) -> Ordering:
    """Give the verdict that the (adjusted) one- and two-sided p-values carry."""
    num = len(result.differences)
    if num < SEEDS_FOR_VERDICT:
        verdict = "not enough seeds"
    elif one <= alpha:
        verdict = "before"
    elif two <= alpha and result.after > result.before:
        verdict = "after"
    else:
        verdict = "not distinguishable"
    counts = f"{result.before} for, {result.after} against, {result.undecided} undecided"
    words = {"before": "comes before", "after": "comes after"}.get(verdict, "against")
    note = f"{result.first} {words} {result.second}: {counts} of {num} seeds (p = {one:.2g})"
    if verdict not in WAYS:
        note += f", {verdict}"
    if verdict == "not enough seeds":
        note += f": a verdict at {alpha:g} needs at least {SEEDS_FOR_VERDICT}"
    return replace(result, q=max(one, result.p_before), verdict=verdict, note=note)


def _grid_warnings(
    first: Sequence[Timing], second: Sequence[Timing], grid_a: Array, grid_b: Array
) -> tuple[str, ...]:
    """Warn when A and B were not read at the same places where they changed."""
    seen = [t.at for t in (*first, *second) if not math.isnan(t.at)]
    if not seen:
        return ()
    # One reading beyond each end, because that is what bounds the outermost intervals.
    lo = max((g[g < min(seen)].max(initial=0.0) for g in (grid_a, grid_b)), default=0.0)
    hi = min((g[g > max(seen)].min(initial=math.inf) for g in (grid_a, grid_b)), default=math.inf)
    parts = [grid[(grid >= lo) & (grid <= hi)] for grid in (grid_a, grid_b)]
    if parts[0].size == parts[1].size and np.allclose(parts[0], parts[1]):
        return ()
    return ("A and B were read at different places, so one is located more finely than the other",)
