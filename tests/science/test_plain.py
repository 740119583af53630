"""Plain mode on simulated annotated series, beside the defaults of its peers on the same series.

Published defaults on real annotated series reach a covering of about .67 and an F1 of .70 at best
(van den Burg and Williams 2020); those series are not used here.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.detect.annotated import (
    at_most_one,
    bocpd_default,
    covering,
    f1,
    nothing,
    plain,
    score,
)
from benchmarks.detect.series import KINDS, draw_series
from scipy.stats import binom

from nucleate.detect.plain import change_points

UNCHANGED = ("noise only", "straight line", "gentle curve", "seasonal trend")


def test_covering_equals_hand_computed_values():
    # Segments 0-5 and 5-10 against 0-10: half overlap each. Against 0-4, 4-10: 4/5 and 5/6.
    assert covering({"a": [5]}, [], 10) == pytest.approx(0.5)
    assert covering({"a": [5]}, [4], 10) == pytest.approx(0.5 * 4 / 5 + 0.5 * 5 / 6)
    assert covering({"a": [5]}, [5], 10) == pytest.approx(1.0)
    # The mean of two annotators, one of whom saw nothing: 0-10 is best covered by half of it.
    assert covering({"a": [5], "b": []}, [5], 10) == pytest.approx(0.75)
    assert covering({"a": []}, [0, 10], 10) == pytest.approx(1.0)


def test_f1_equals_hand_computed_values():
    assert f1({"a": []}, []) == pytest.approx(1.0)
    assert f1({"a": [50]}, []) == pytest.approx(2 / 3)  # precision 1, recall 1/2
    assert f1({"a": [50]}, [55]) == pytest.approx(1.0)
    assert f1({"a": [50]}, [56]) == pytest.approx(0.5)  # both 1/2
    # One prediction serves one truth: 3 of 3 precise would need both; recall 2/3, precision 2/2.
    assert f1({"a": [50, 53]}, [52]) == pytest.approx(2 * 1.0 * (2 / 3) / (1.0 + 2 / 3))
    # Two annotators: the union makes both predictions right; recalls 2/2 and 2/2.
    assert f1({"a": [50], "b": [80]}, [50, 80]) == pytest.approx(1.0)
    # Recalls 1 and 1/2, precision 2/2.
    assert f1({"a": [50], "b": [80]}, [50]) == pytest.approx(2 * 0.75 / 1.75)
    # 0 is nobody's achievement but counts: a prediction within the margin of 0 is spare.
    assert f1({"a": []}, [3]) == pytest.approx(2 * 0.5 / 1.5)


def test_at_most_one_change_is_where_the_means_differ_most():
    assert at_most_one(np.repeat([0.0, 1.0], [30, 10])) == [30]
    assert at_most_one(np.tile([0.0, 1.0], 20)) == []


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(8101)
    return [draw_series(rng, kind) for kind in KINDS for _ in range(8)]


@pytest.mark.slow
def test_plain_mode_is_above_its_peers_on_the_same_series(series):
    means = {
        detector.__name__: np.mean([score(one, detector(one.values)) for one in series], axis=0)
        for detector in (plain, at_most_one, bocpd_default, nothing)
    }
    cover, f = means.pop("plain")
    assert cover >= 0.80
    assert f >= 0.85
    assert all(cover > other[0] and f > other[1] for other in means.values())


@pytest.mark.slow
def test_series_without_a_change_are_left_whole():
    rng = np.random.default_rng(8102)
    num = 25
    cut = sum(bool(plain(draw_series(rng, kind).values)) for kind in UNCHANGED for _ in range(num))
    assert cut <= binom.ppf(0.99, num * len(UNCHANGED), 0.05)


@pytest.mark.slow
def test_intervals_cover_the_place_of_a_clear_step():
    rng = np.random.default_rng(8103)
    covered = total = 0
    for _ in range(150):
        place = int(rng.integers(20, 60))
        values = 2.0 * (np.arange(80) >= place) + rng.standard_normal(80)
        for change in change_points(values):
            if abs(change.index - place) <= 8:
                total += 1
                covered += change.lo <= place <= change.hi
    assert total >= 130
    assert covered >= binom.ppf(0.01, total, 0.90)
