"""How often a study's intervals hold the saving that was put in: ``python -m benchmarks.savings``.

Made-up studies of ten seeds whose quality follows a law of compute: five horizons of the baseline,
and an arm that needs 65 % of its compute. Seeds have luck of their own, shared by all their runs,
and every run has noise. A second arm needs all of it: how often is a saving found that is none?
Then two arms that save the same are held against each other.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.studies.savings import paired
from nucleate.studies.savings.looks import looks
from nucleate.studies.savings.saving import (
    Baseline,
    Treated,
    at_mean_quality,
    contrast,
    estimate,
)

SEEDS, TRUE = 10, 0.35
COSTS = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
SCATTER = ((0.006, 0.006), (0.015, 0.006), (0.03, 0.0), (0.08, 0.0))
"""Standard deviations of a run's noise and of a seed's luck, in points of the 0–1 score."""


def law(cost: ArrayLike) -> NDArray[np.float64]:
    return 1 - 0.35 * np.asarray(cost, np.float64) ** -0.7


def study(rng: np.random.Generator, noise: float, luck: float) -> tuple[Baseline, list[Treated]]:
    """Return a made-up baseline, an arm that saves `TRUE`, and one that saves nothing."""
    own = luck * rng.standard_normal(SEEDS)
    scatter = noise * rng.standard_normal((SEEDS, COSTS.size))
    arms = [
        Treated(np.full(SEEDS, ratio), law(1.0) + own + noise * rng.standard_normal(SEEDS))
        for ratio in (1 - TRUE, 1.0)
    ]
    return Baseline(COSTS, law(COSTS) + own[:, None] + scatter), arms


def main(studies: int = 300) -> None:
    paired.RESAMPLES = 1_999
    end = looks([5, 10])[-1].p
    print(f"noise  luck   BCa    jackknife  at the mean  bias      p ≤ {end:.3f} without a saving")
    for noise, luck in SCATTER:
        rng = np.random.default_rng(1)
        held, bias, false = np.zeros(3), 0.0, 0
        for _ in range(studies):
            baseline, (arm, idle) = study(rng, noise, luck)
            found, mean = estimate(baseline, arm), at_mean_quality(baseline, arm)
            intervals = (found.saving, found.student, mean.saving)
            held += [interval.lo <= TRUE <= interval.hi for interval in intervals]
            bias += found.saving.value - TRUE
            false += estimate(baseline, idle).p <= end
        bca, jackknife, middle = held / studies
        print(
            f"{noise:.3f}  {luck:.3f}  {bca:.3f}  {jackknife:.3f}      {middle:.3f}        "
            f"{bias / studies:+.4f}   {false / studies:.3f}"
        )


def between(studies: int = 300) -> None:
    """Print how often a contrast finds a difference between arms that both save `TRUE`."""
    paired.RESAMPLES = 999
    end = looks([5, 10])[-1].p
    print(f"between arms       noise  luck   BCa    jackknife  p ≤ {end:.3f} without a difference")
    noise, luck = SCATTER[1]
    for where, length in (("of equal quality", 1.0), ("at .8 of the cost", 0.8)):
        rng = np.random.default_rng(1)
        held, false = np.zeros(2), 0
        for _ in range(studies):
            own = luck * rng.standard_normal(SEEDS)
            scatter = noise * rng.standard_normal((SEEDS, COSTS.size))
            arms = [
                Treated(
                    np.full(SEEDS, (1 - TRUE) * cost),
                    law(cost) + own + noise * rng.standard_normal(SEEDS),
                )
                for cost in (1.0, length)
            ]
            found = contrast(Baseline(COSTS, law(COSTS) + own[:, None] + scatter), *arms)
            held += [one.lo <= 0 <= one.hi for one in (found.saving, found.student)]
            false += found.p <= end
        bca, jackknife = held / studies
        print(
            f"{where:<17}  {noise:.3f}  {luck:.3f}  {bca:.3f}  {jackknife:.3f}      "
            f"{false / studies:.3f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
    between(*map(int, sys.argv[1:]))
