"""The primary figure: compute saved at equal quality, over paired seeds.

For every seed the log-ratio ``log C_T − log C_B1(Q_T)``: what the treated run cost, against what
the baseline's frontier asks for the same quality. The saving is ``1 − exp(mean log-ratio)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nucleate.core import UserError
from nucleate.studies.savings.frontier import (
    MIN_HORIZONS,
    Frontier,
    Place,
    log_costs_of_many,
)
from nucleate.studies.savings.paired import (
    Interval,
    bca,
    bca_mean,
    drawn_signs,
    jackknife,
    median_interval,
    sign_flip,
    t_interval,
)

Array = NDArray[np.float64]
Method = Literal["pooled", "per seed"]
MISSED = math.inf
"""Log-ratio of a run that failed or ended below the whole frontier: it counts as infinite cost."""


@dataclass(frozen=True)
class Baseline:
    """The fully decayed baseline runs.

    Attributes:
        costs: FLOPs of each horizon, shape ``(h,)``, rising.
        qualities: Of each seed at each horizon, shape ``(seeds, h)``; NaN where a run failed.
    """

    costs: Array
    qualities: Array

    def frontier(self, seeds: NDArray[np.int64]) -> Frontier:
        """Return the frontier through the mean quality of some seeds at each horizon."""
        drawn = self.qualities[seeds]
        there = np.isfinite(drawn)
        known = there.any(axis=0)
        total = np.where(there, drawn, 0.0).sum(axis=0)
        return Frontier(self.costs[known], total[known] / there.sum(axis=0)[known])


@dataclass(frozen=True)
class Treated:
    """The runs of one other arm, seed by seed.

    Attributes:
        costs: FLOPs of everything each run needed, shape ``(seeds,)``.
        qualities: At each run's own end, same shape; NaN where a run failed.
    """

    costs: Array
    qualities: Array


@dataclass(frozen=True, slots=True)
class Estimate:
    """A saving with everything that belongs to it.

    Attributes:
        saving: Estimate and 95 % interval; .4 is 40 % less compute. Negative: more is needed.
        log_ratios: Of each seed; ``MISSED`` where the run counts as infinite cost.
        places: Where each seed's quality lies on the frontier. Seeds ``above`` enter with the
            bound, that is with a smaller saving than they may have.
        against: Between arms, where the second one's seeds lie.
        p: Of the exact sign-flip test, two-sided. Against the baseline it tests each seed's gain in
            quality at equal cost, between arms their log-ratios; NaN where neither can be had.
        student: The same saving with Student's interval over the jackknife (NaN with missed runs).
        how: How the interval was made; what else must be known of it after semicolons.
    """

    saving: Interval
    log_ratios: tuple[float, ...]
    places: tuple[Place | Literal["failed"], ...]
    p: float
    student: Interval
    how: str
    against: tuple[Place | Literal["failed"], ...] = ()

    @property
    def missed(self) -> int:
        """Runs that count as infinite cost."""
        return sum(math.isinf(ratio) for ratio in self.log_ratios)

    @property
    def beyond(self) -> int:
        """Runs better than the whole frontier."""
        return sum(place == "above" for place in self.places)


def estimate(baseline: Baseline, treated: Treated, method: Method = "pooled") -> Estimate:
    """Estimate the saving of an arm.

    Args:
        baseline: The frontier's runs.
        treated: The arm's runs, in the same order of seeds.
        method: ``pooled`` draws one frontier through the mean of all seeds, and the bootstrap draws
            it again from every resample, so that its own uncertainty enters the interval;
            ``per seed`` gives each seed the frontier of its own runs.

    Raises:
        UserError: There are too few horizons or seeds.
    """
    number = treated.costs.size
    if number < 1 or baseline.qualities.shape[0] != number:
        raise UserError("a saving needs paired seeds", where="savings", got=number)
    everyone = np.arange(number)
    if method == "pooled":
        ratios, places = log_ratios(baseline.frontier(everyone), treated)
    else:
        ratios, places = _own_frontiers(baseline, treated)
    found = _estimate(ratios, places, gains_at_equal_cost(baseline, treated))
    if found.missed or method == "per seed":
        return found
    resampled = _Resampled(baseline, treated)
    return replace(
        found,
        saving=as_saving(bca(number, resampled)),
        student=as_saving(jackknife(number, resampled)),
    )


def at_mean_quality(baseline: Baseline, treated: Treated) -> Estimate:
    """Estimate the saving at the mean quality of all seeds instead of at each one's own.

    Where seeds scatter widely, pricing each at its own quality is biased: the price is a convex
    function of quality, and a frontier that ends cuts the lucky ones off. This way only the mean
    has to lie inside. It has no paired differences, and so no test.

    Raises:
        UserError: A run has failed, or the mean lies outside the frontier.
    """
    if not np.isfinite(treated.qualities).all():
        raise UserError("a run has failed, and so there is no mean quality", where="savings")
    mean = float(treated.qualities.mean())
    place = baseline.frontier(np.arange(treated.costs.size)).cost_at(mean).where
    if place == "below":
        raise UserError("the mean quality lies below the frontier", where="savings", got=mean)
    resampled = _Resampled(baseline, treated, at_mean=True)
    return Estimate(
        saving=as_saving(bca(treated.costs.size, resampled)),
        log_ratios=(),
        places=(place,),
        p=math.nan,
        student=as_saving(jackknife(treated.costs.size, resampled)),
        how="log-ratio at the mean quality, BCa",
    )


def gains_at_equal_cost(baseline: Baseline, treated: Treated) -> Array:
    """Return each seed's gain in quality over its own baseline at the same cost, shape ``(n,)``.

    The baseline's quality is interpolated between the seed's own runs, so that no error is shared
    by all seeds: an exact test of "nothing is saved" needs that, and log-ratios against a pooled
    frontier do not give it. A run cheaper than the whole frontier is held against its cheapest end,
    which favours the baseline; one that failed is −∞; one dearer is NaN.
    """
    from scipy.interpolate import PchipInterpolator

    gains = np.empty(treated.costs.size)
    for seed, (cost, quality) in enumerate(zip(treated.costs, treated.qualities, strict=True)):
        there = np.isfinite(baseline.qualities[seed])
        costs, qualities = baseline.costs[there], baseline.qualities[seed][there]
        if not (math.isfinite(cost) and math.isfinite(quality)):
            gains[seed] = -math.inf
        elif costs.size < 2 or cost > costs[-1] * (1 + 1e-9):
            gains[seed] = math.nan
        else:
            at = min(max(cost, costs[0]), costs[-1])
            gains[seed] = quality - float(PchipInterpolator(np.log(costs), qualities)(np.log(at)))
    return gains


def _estimate(
    ratios: Array,
    places: Sequence[Place | Literal["failed"]],
    gains: Array | None = None,
) -> Estimate:
    """Return the estimate that log-ratios give: of their mean, or of their median if any is missed.

    Args:
        gains: What the test is about, where it is not the log-ratios themselves.
    """
    finite = bool(np.isfinite(ratios).all())
    tested = ratios if gains is None else gains
    how = ["mean log-ratio, BCa" if finite else "median, order statistics"]
    if signs := drawn_signs(tested.size):
        how.append(signs)
    return Estimate(
        saving=as_saving(bca_mean(ratios) if finite else median_interval(ratios)),
        log_ratios=tuple(float(ratio) for ratio in ratios),
        places=tuple(places),
        p=math.nan if np.isnan(tested).any() else sign_flip(tested),
        student=as_saving(t_interval(ratios)) if finite else Interval(math.nan),
        how="; ".join(how),
    )


def contrast(baseline: Baseline, first: Treated, second: Treated) -> Estimate:
    """Estimate what one arm saves against another one, both at equal quality through the frontier.

    Both are priced on one frontier, of the seeds that both ran, drawn again with them. Whatever is
    not known of the second arm, the control, counts against the first: a control that ends below
    the frontier enters with its bound; where one lies beyond the frontier or failed, what it would
    have cost is not known, and the saving has no lower end and no p. A seed missed by both arms
    decides nothing and counts as no difference.

    Args:
        baseline: The frontier's runs.
        first, second: The runs of each arm in the baseline's order of seeds; one may have fewer.

    Raises:
        UserError: The seeds that both ran give no frontier.
    """
    number = min(first.costs.size, second.costs.size)
    base = Baseline(baseline.costs, baseline.qualities[:number])
    ours, theirs = (Treated(arm.costs[:number], arm.qualities[:number]) for arm in (first, second))
    frontier = base.frontier(np.arange(number))
    (a, places), (b, against) = log_ratios(frontier, ours), log_ratios(frontier, theirs)
    lost = np.isinf(a) & np.isinf(b)
    low = np.array([place == "below" for place in against])
    b = np.where(low, np.log(theirs.costs) - math.log(frontier.costs[0]), b)
    with np.errstate(invalid="ignore"):
        found = _estimate(np.where(lost, 0.0, a - b), places)
    if np.isfinite(a).all() and np.isfinite(b).all():
        mine, other = _Resampled(base, ours), _Resampled(base, theirs)

        def both(seeds: NDArray[np.int64]) -> Array:
            return mine(seeds) - other(seeds)

        found = replace(
            found,
            saving=as_saving(bca(number, both)),
            student=as_saving(jackknife(number, both)),
        )
    return _against(found, against)


def _against(found: Estimate, places: Sequence[Place | Literal["failed"]]) -> Estimate:
    """Say where the controls lie; without a lower end where the cost of some is not known."""
    counts = {place: f"{places.count(place)} of {len(places)} controls" for place in set(places)}
    loose = {"above": "lie beyond the frontier", "failed": "failed"}
    why = [f"{counts[place]} {words}" for place, words in loose.items() if place in counts]
    notes = [found.how]
    if "below" in counts:
        notes.append(f"{counts['below']} end below the frontier and enter with their bound")
    if why:
        notes.append(f"no lower end: {', '.join(why)}")
        found = replace(
            found,
            p=math.nan,
            saving=replace(found.saving, lo=-math.inf),
            student=replace(found.student, lo=-math.inf),
        )
    return replace(found, against=tuple(places), how="; ".join(notes))


def to_target(baseline: Baseline, treated: Treated, target: float) -> Estimate | None:
    """Estimate the saving to a preset quality; None where the frontier does not reach it.

    A run that ends below the target counts as infinite cost; one that ends above it gets no credit
    for what it has too much. The price is one number for all seeds, and its error enters the
    intervals by drawing the frontier again; a test of paired differences would not see it, and so
    there is no p.
    """
    everyone = np.arange(treated.costs.size)
    frontier = baseline.frontier(everyone)
    if frontier.cost_at(target).where != "inside":
        return None
    reached = treated.qualities >= target
    aimed = Treated(treated.costs, np.where(reached, target, np.nan))
    ratios, _ = log_ratios(frontier, aimed)
    places: list[Place] = ["inside" if fine else "below" for fine in reached]
    found = replace(_estimate(ratios, places), p=math.nan)
    if found.missed:
        return found
    resampled = _Resampled(baseline, aimed)
    return replace(
        found,
        saving=as_saving(bca(everyone.size, resampled)),
        student=as_saving(jackknife(everyone.size, resampled)),
    )


def amortised(
    treated: float, baseline: float, tuning_treated: float, tuning_baseline: float, runs: int
) -> float:
    """Return the saving over so many runs when each side also pays its own tuning once.

    Args:
        treated, baseline: FLOPs of one run.
        tuning_treated, tuning_baseline: FLOPs of finding its settings.
        runs: How many runs share the tuning.
    """
    return 1 - (runs * treated + tuning_treated) / (runs * baseline + tuning_baseline)


def as_saving(log_ratio: Interval) -> Interval:
    """Turn a log-ratio of costs into the share that is saved; the interval changes sides."""
    lo, hi = -math.expm1(log_ratio.hi), -math.expm1(log_ratio.lo)
    return Interval(-math.expm1(log_ratio.value), lo, hi)


def log_ratios(
    frontier: Frontier, treated: Treated
) -> tuple[Array, list[Place | Literal["failed"]]]:
    """Return each seed's log-ratio, shape ``(n,)``, and where its quality lies."""
    failed = ~(np.isfinite(treated.qualities) & np.isfinite(treated.costs))
    qualities = np.where(failed, -np.inf, treated.qualities)
    logs, found = frontier.log_costs(qualities)
    places: list[Place | Literal["failed"]] = [
        "failed" if gone else place for gone, place in zip(failed, found, strict=True)
    ]
    missed = np.array([place in ("failed", "below") for place in places])
    ratios = np.log(np.where(failed, 1.0, treated.costs)) - logs
    return np.where(missed, MISSED, ratios), places


def _own_frontiers(
    baseline: Baseline, treated: Treated
) -> tuple[Array, list[Place | Literal["failed"]]]:
    ratios, places = np.empty(treated.costs.size), []
    for seed in range(treated.costs.size):
        one = np.array([seed])
        own = Treated(treated.costs[one], treated.qualities[one])
        if np.isfinite(baseline.qualities[seed]).sum() < MIN_HORIZONS:
            raise UserError("a seed's own frontier needs more runs", where=f"seed {seed}")
        found, place = log_ratios(baseline.frontier(one), own)
        ratios[seed] = found[0]
        places += place
    return ratios, places


class _Resampled:
    """Mean log-ratio of some seeds against the frontier of the same seeds, for many resamples.

    Args:
        at_mean: Price the mean quality of the seeds instead of each one's own.
    """

    def __init__(self, baseline: Baseline, treated: Treated, *, at_mean: bool = False) -> None:
        self._treated, self._at_mean = treated, at_mean
        there = np.isfinite(baseline.qualities)
        known = there.any(axis=0)
        self._costs, self._there = baseline.costs[known], there[:, known]
        self._qualities = np.where(self._there, baseline.qualities[:, known], 0.0)
        self._whole = self._qualities.sum(axis=0) / self._there.sum(axis=0)

    def __call__(self, seeds: NDArray[np.int64]) -> Array:
        qualities, costs = self._treated.qualities[seeds], np.log(self._treated.costs[seeds])
        if self._at_mean:
            qualities = qualities.mean(axis=1, keepdims=True)
        logs = log_costs_of_many(self._costs, self._curves(seeds), qualities)
        means: Array = costs.mean(axis=-1) - logs.mean(axis=-1)
        return means

    def _curves(self, seeds: NDArray[np.int64]) -> Array:
        """Return the mean quality at each horizon; of all seeds where no drawn one has a run."""
        count = self._there[seeds].sum(axis=1)
        total = self._qualities[seeds].sum(axis=1)
        means: Array = np.where(count > 0, total / np.maximum(count, 1), self._whole)
        return means
