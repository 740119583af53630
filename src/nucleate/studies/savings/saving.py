"""The primary figure: compute saved at equal quality, over paired seeds.

For every seed the log-ratio ``log C_T − log C_B1(Q_T)``: what the treated run cost, against what
the baseline's frontier asks for the same quality. The saving is ``1 − exp(mean log-ratio)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
        p: Of the exact sign-flip test.
        student: The same saving with Student's interval (NaN with missed runs).
        how: How the interval was made.
    """

    saving: Interval
    log_ratios: tuple[float, ...]
    places: tuple[Place | Literal["failed"], ...]
    p: float
    student: Interval
    how: str

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
    if not np.isfinite(ratios).all():
        interval, how = median_interval(ratios), "median, order statistics"
    elif method == "pooled":
        interval, how = bca(number, _Resampled(baseline, treated)), "mean log-ratio, BCa"
    else:
        interval, how = bca_mean(ratios), "mean log-ratio, BCa"
    student = t_interval(ratios) if np.isfinite(ratios).all() else Interval(math.nan)
    return Estimate(
        saving=as_saving(interval),
        log_ratios=tuple(float(ratio) for ratio in ratios),
        places=tuple(places),
        p=sign_flip(ratios),
        student=as_saving(student),
        how=how,
    )


def contrast(first: Estimate, second: Estimate) -> Estimate:
    """Estimate what one arm saves against another one, both at equal quality through the frontier.

    A seed missed by both arms decides nothing and counts as no difference.
    """
    a, b = np.array(first.log_ratios), np.array(second.log_ratios)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isinf(a) & np.isinf(b), 0.0, a - b)
    finite = bool(np.isfinite(ratios).all())
    interval = bca_mean(ratios) if finite else median_interval(ratios)
    return Estimate(
        saving=as_saving(interval),
        log_ratios=tuple(float(ratio) for ratio in ratios),
        places=first.places,
        p=sign_flip(ratios),
        student=as_saving(t_interval(ratios)) if finite else Interval(math.nan),
        how="mean log-ratio, BCa" if finite else "median, order statistics",
    )


def to_target(baseline: Baseline, treated: Treated, target: float) -> Estimate | None:
    """Estimate the saving to a preset quality; None where the frontier does not reach it.

    A run that ends below the target counts as infinite cost; one that ends above it gets no credit
    for what it has too much.
    """
    price = baseline.frontier(np.arange(treated.costs.size)).cost_at(target)
    if price.where != "inside":
        return None
    reached = treated.qualities >= target
    ratios = np.where(reached, np.log(treated.costs / price.cost), MISSED)
    finite = bool(np.isfinite(ratios).all())
    interval = bca_mean(ratios) if finite else median_interval(ratios)
    return Estimate(
        saving=as_saving(interval),
        log_ratios=tuple(float(ratio) for ratio in ratios),
        places=tuple("inside" if fine else "below" for fine in reached),
        p=sign_flip(ratios),
        student=as_saving(t_interval(ratios)) if finite else Interval(math.nan),
        how="mean log-ratio, BCa" if finite else "median, order statistics",
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
    """Mean log-ratio of some seeds against the frontier of the same seeds, for many resamples."""

    def __init__(self, baseline: Baseline, treated: Treated) -> None:
        self._baseline, self._treated = baseline, treated

    def __call__(self, seeds: NDArray[np.int64]) -> Array:
        qualities, costs = self._treated.qualities[seeds], np.log(self._treated.costs[seeds])
        if np.isfinite(self._baseline.qualities).all():
            curves = self._baseline.qualities[seeds].mean(axis=1)
            logs = log_costs_of_many(self._baseline.costs, curves, qualities)
        else:  # which horizons there are depends on who was drawn
            frontiers = [self._baseline.frontier(drawn) for drawn in seeds]
            pairs = zip(frontiers, qualities, strict=True)
            logs = np.array([frontier.log_costs(asked)[0] for frontier, asked in pairs])
        means: Array = (costs - logs).mean(axis=-1)
        return means
