from __future__ import annotations

import math
from itertools import pairwise

import pytest

from nucleate.views import svg


def test_linear_scale_maps_ends_and_middle():
    scale = svg.Scale(0.0, 10.0, 100.0, 0.0)
    assert [scale(v) for v in (0.0, 5.0, 10.0)] == [100.0, 50.0, 0.0]


def test_log_scale_puts_equal_ratios_at_equal_distances():
    scale = svg.Scale(1e4, 1e6, 0.0, 200.0, log=True)
    assert scale(1e5) == pytest.approx(100.0)
    assert scale(1e6) - scale(1e5) == pytest.approx(scale(1e5) - scale(1e4))


def test_clip_stays_inside():
    scale = svg.Scale(1.0, 10.0, 0.0, 90.0)
    assert scale.clip(-5.0) == 0.0
    assert scale.clip(99.0) == 90.0


@pytest.mark.parametrize(
    ("lo", "hi", "most", "expected"),
    [
        (0.0, 1.0, 6, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 1.0, 3, [0.0, 0.5, 1.0]),
        (-1.0, 1.0, 5, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (1.13, 6.4, 6, [2.0, 3.0, 4.0, 5.0, 6.0]),
        (0.0, 4.2e6, 5, [0.0, 1e6, 2e6, 3e6, 4e6]),
        (1.0, 1.0, 5, []),
        (math.nan, 1.0, 5, []),
    ],
)
def test_linear_ticks(lo, hi, most, expected):
    assert svg.linear_ticks(lo, hi, most) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lo", "hi", "most", "expected"),
    [
        (1e4, 1e6, 3, [1e4, 1e5, 1e6]),
        (1e4, 1e6, 10, [1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6]),
        (1e4, 1e6, 5, [1e4, 3e4, 1e5, 3e5, 1e6]),
        (1.0, 1e12, 4, [1.0, 1e4, 1e8, 1e12]),
        (2e4, 6e6, 4, [1e5, 1e6]),
        (0.0, 1e6, 4, []),
    ],
)
def test_log_ticks(lo, hi, most, expected):
    assert svg.log_ticks(lo, hi, most) == pytest.approx(expected)


@pytest.mark.parametrize("most", range(1, 12))
def test_ticks_are_never_too_many_and_lie_inside(most):
    for lo, hi in ((0.013, 0.02), (3.0, 7e9), (2e4, 6e6), (0.5, 0.500001)):
        for ticks in (svg.linear_ticks(lo, hi, most), svg.log_ticks(lo, hi, most)):
            assert len(ticks) <= most
            slack = 1e-8 * (hi - lo)
            assert all(lo - slack <= tick <= hi + slack for tick in ticks)


def test_text_and_attributes_are_escaped():
    drawn = svg.text(1.0, 2.0, "<script>alert(1)</script>", class_='a"onload="x')
    assert "<script" not in drawn
    assert '"onload=' not in drawn
    assert drawn.startswith("<text ")


def test_path_opens_a_gap_at_nan():
    drawn = svg.path([0.0, 1.0, 2.0, 3.0], [0.0, math.nan, 2.0, 3.0])
    assert drawn == '<path d="M0 0M2 2L3 3"/>'
    assert svg.path([0.0], [math.nan]) == ""


def test_band_is_drawn_in_pieces():
    nan = math.nan
    drawn = svg.band([0.0, 1.0, 2.0, 3.0, 4.0], [0, 0, nan, 0, 0], [1, 1, 1, 1, 1])
    assert drawn.count("Z") == 2
    assert "nan" not in drawn


def test_spread_keeps_order_gap_and_bounds():
    placed = svg.spread([50.0, 51.0, 10.0, 52.0], 12.0, 0.0, 60.0)
    ordered = sorted(placed)
    assert all(b - a >= 12.0 - 1e-9 for a, b in pairwise(ordered))
    assert min(placed) >= 0.0
    assert max(placed) <= 60.0
    assert placed[2] < placed[0] < placed[1] < placed[3]


def test_spread_shrinks_the_gap_when_there_is_no_room():
    assert svg.spread([5.0, 5.0, 5.0], 100.0, 0.0, 10.0) == pytest.approx([0.0, 5.0, 10.0])
    assert svg.spread([], 10.0, 0.0, 1.0) == []
