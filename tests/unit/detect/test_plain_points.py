"""What plain mode says of series whose changes are known."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.detect.plain import change_points


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_levels_are_found_where_they_change(rho):
    rng = np.random.default_rng(71)
    noise = rng.standard_normal(150)
    for i in range(1, 150):
        noise[i] += rho * noise[i - 1]
    values = np.repeat([0.0, 6.0, -2.0], 50) + noise
    found = change_points(values)
    for change, place in zip(found, (50, 100), strict=True):
        assert abs(change.index - place) <= 2
        assert change.lo <= change.index <= change.hi
        assert change.statistic > 0.0


def test_a_trend_is_one_segment_and_its_break_is_one_change():
    rng = np.random.default_rng(72)
    noise = 0.5 * rng.standard_normal(120)
    assert change_points(np.linspace(0.0, 30.0, 120) + noise) == []
    bent = np.r_[np.linspace(0.0, 20.0, 70), np.linspace(20.0, 5.0, 50)] + noise
    found = change_points(bent)
    assert len(found) == 1
    assert abs(found[0].index - 70) <= 3


def test_a_change_of_spread_is_found_where_the_level_stays():
    rng = np.random.default_rng(73)
    values = rng.standard_normal(240) * np.repeat([1.0, 5.0], 120)
    found = change_points(values)
    assert len(found) == 1
    assert abs(found[0].index - 120) <= 5


def test_a_unit_and_an_offset_change_nothing():
    rng = np.random.default_rng(74)
    values = np.repeat([0.0, 4.0], 40) + rng.standard_normal(80)
    assert [c.index for c in change_points(values)] == [
        c.index for c in change_points(1e6 - 3e3 * values)
    ]


def test_series_that_change_together_are_read_together():
    rng = np.random.default_rng(75)
    parts = np.repeat([0.0, 1.2], 50)[:, None] + rng.standard_normal((100, 6))
    found = change_points(parts)
    assert len(found) == 1
    assert abs(found[0].index - 50) <= 2


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, 2.0], np.full(50, 3.0), np.full(50, np.nan), np.zeros((40, 3))]
)
def test_nothing_changes_where_nothing_can(values):
    assert change_points(values) == []


def test_gaps_are_bridged_and_limits_are_kept():
    rng = np.random.default_rng(76)
    values = np.repeat([0.0, 8.0, 0.0, 8.0], 25) + rng.standard_normal(100)
    values[[10, 60]] = np.nan
    assert len(change_points(values)) == 3
    assert len(change_points(values, max_changes=1)) <= 1
    assert change_points(values, max_changes=0) == []


def test_three_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n,\) or \(n, d\), got \(2, 2, 2\)"):
        change_points(np.zeros((2, 2, 2)))
