"""What stands beside an axis: every value as it is, and no two alike."""

from __future__ import annotations

import re

import pytest

from nucleate.views import svg
from nucleate.views.frame import axis_y


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [
        ([0, 0.005, 0.01], ["0", ".005", ".01"]),
        ([0, 0.25, 0.5], ["0", ".25", ".5"]),
        ([0, 0.002], ["0", ".002"]),
        ([-0.5, 0, 1], ["−.5", "0", "1"]),
        ([3, 3.5, 4], ["3", "3.5", "4"]),
    ],
)
def test_no_value_is_rounded_away(ticks: list[float], shown: list[str]) -> None:
    drawn = axis_y(svg.Scale(-1, 4, 100, 0), 30, 300, ticks, digits=2)
    assert re.findall(r">([^<>]+)</text>", str(drawn)) == shown
