"""Speed is that of a typical step; the time left counts looks too, and does not jump with them."""

from __future__ import annotations

import math

import pytest

from nucleate.core import Step
from nucleate.views.pace import Pace


def _run(pace, steps, *, look_every=0, look=0.0, begin=0, wall=0.0):
    """Do steps of 1,000 tokens in .1 s each, and a look after every so many."""
    for number in range(begin + 1, begin + steps + 1):
        wall += 0.1
        pace.note(Step(step=number, tokens=1000 * number, flops=0, wall=wall))
        if look_every and number % look_every == 0:
            wall += look
    return wall


def test_nothing_is_known_before_the_second_step():
    pace = Pace()
    assert math.isnan(pace.speed)
    assert math.isnan(pace.left(1000))
    _run(pace, 1)
    assert math.isnan(pace.speed)
    assert math.isnan(pace.left(1000))


def test_steps_alone_are_10000_tokens_per_second():
    pace = Pace()
    _run(pace, 100)
    assert pace.speed == pytest.approx(10_000)
    assert pace.left(200_000) == pytest.approx(10.0)
    assert pace.left(50_000) == 0.0


def test_looks_slow_the_run_but_not_its_steps():
    pace = Pace()
    # Ten steps and a look of 3 s take 4 s: 2,500 tokens a second.
    wall = _run(pace, 1001, look_every=10, look=3.0)
    assert pace.speed == pytest.approx(10_000)
    assert pace.left(2_001_000) == pytest.approx(400.0, rel=0.01)
    # One more look changes what is left by no more than its own share of the time.
    before = pace.left(2_001_000)
    _run(pace, 1, begin=1001, wall=wall + 3.0)
    assert pace.left(2_001_000) == pytest.approx(before, rel=0.02)


def test_what_is_long_past_does_not_count_and_is_not_kept():
    pace = Pace()
    wall = _run(pace, 1000, look_every=1, look=0.9)  # 1,000 s, a step a second
    _run(pace, 20_000, begin=1000, wall=wall)  # 2,000 s at ten steps a second
    assert pace.left(31_000_000) == pytest.approx(1000.0, rel=0.01)
    assert len(pace._marks) < 1700
