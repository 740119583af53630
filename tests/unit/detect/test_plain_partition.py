"""Plain mode against exhaustive search and closed forms."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from nucleate.detect.plain import change_points
from nucleate.detect.plain.costs import Costs, residuals
from nucleate.detect.plain.partition import best_partitions, pelt
from nucleate.detect.plain.points import criterion
from nucleate.detect.plain.prepare import season, without_outliers, without_season


def total(costs, breaks):
    return sum(float(costs.of(np.array([a]), b)[0]) for a, b in pairwise((0, *breaks, costs.num)))


def every_partition(num, min_size):
    for count in range(num):
        for breaks in combinations(range(1, num), count):
            if all(b - a >= min_size for a, b in pairwise((0, *breaks, num))):
                yield breaks


def test_costs_are_the_squares_that_least_squares_leave():
    values = np.array([[0.0], [1.0], [5.0], [2.0]])
    first = np.array([0])
    # Around the mean 2: 4 + 1 + 9 + 0; around the line 0.5 + t: .25 + .25 + 6.25 + 2.25 = 9 at
    # slope (−1.5·0 − .5·1 + .5·5 + 1.5·2)/5 = 1, so 14 − 5·1² = 9.
    assert Costs(values, "constant").of(first, 4)[0] == pytest.approx(14.0)
    assert Costs(values, "line").of(first, 4)[0] == pytest.approx(9.0)
    assert np.sum(residuals(values, (), "line") ** 2) == pytest.approx(9.0)
    assert np.sum(residuals(values, (2,), "constant") ** 2) == pytest.approx(0.5 + 4.5)


@pytest.mark.parametrize("shape", ["constant", "line"])
@pytest.mark.parametrize("min_size", [1, 2, 3])
def test_pelt_and_segment_neighbourhood_equal_exhaustive_search(shape, min_size):
    rng = np.random.default_rng(61)
    for _ in range(25):
        num = int(rng.integers(7, 11))
        values = rng.standard_normal((num, 2)) + 3.0 * (np.arange(num) > num // 2)[:, None]
        penalty = rng.uniform(0.2, 6.0)
        costs = Costs(values, shape)
        allowed = list(every_partition(num, min_size))
        best = min(total(costs, b) + penalty * len(b) for b in allowed)
        found = pelt(costs, penalty, min_size)
        assert total(costs, found) + penalty * len(found) == pytest.approx(best, abs=1e-9)
        for count, breaks in enumerate(best_partitions(costs, 3, min_size)):
            least = min(total(costs, b) for b in allowed if len(b) == count)
            assert len(breaks) == count
            assert total(costs, breaks) == pytest.approx(least, abs=1e-9)


def test_partitions_end_where_no_more_segments_fit():
    costs = Costs(np.arange(7.0)[:, None], "constant")
    assert [len(b) for b in best_partitions(costs, 5, min_size=3)] == [0, 1]
    assert best_partitions(costs, 1, min_size=2, every=3)[1] in {(3,)}


def test_a_penalty_of_one_number_is_paid_per_break():
    # Standardised, a clean half-and-half step is ±1: one break saves exactly n.
    step = np.repeat([0.0, 8.0], 20)
    assert [c.index for c in change_points(step, penalty=39.9)] == [20]
    assert change_points(step, penalty=40.1) == []


def test_the_criterion_of_a_perfect_step_is_known():
    # Nothing is left over: n ln(resolution) + (2 means + 2 for the place) ln n.
    step = np.repeat([-1.0, 1.0], 20)[:, None]
    assert criterion(step, (20,), "constant") == pytest.approx(40 * np.log(0.01) + 4 * np.log(40.0))


def test_one_outlier_is_set_to_the_median_of_its_neighbours():
    values = np.tile([0.0, 0.1, 0.2], 10)
    values[13] = 50.0
    clean = without_outliers(values)
    assert clean[13] == np.median(values[10:17])
    assert np.array_equal(np.delete(clean, 13), np.delete(values, 13))


def test_a_season_is_found_and_taken_out_and_its_level_stays():
    rng = np.random.default_rng(62)
    pattern = np.array([3.0, -1.0, 0.0, 2.0, -4.0, 1.0, -1.0])
    values = np.resize(pattern, 140) + 0.1 * rng.standard_normal(140)
    assert season(values) == 7
    rest = without_season(values)
    assert rest.std() < 0.2
    assert rest.mean() == pytest.approx(values.mean(), abs=0.1)
    assert season(rng.standard_normal(140)) == 0
    assert season(np.linspace(0.0, 1.0, 140)) == 0
    assert season(np.zeros(140)) == 0
