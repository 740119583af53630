from __future__ import annotations

import math

import pytest

from nucleate.core import Curve, Level, Step
from nucleate.detect.claims import claim_table
from nucleate.detect.halfwidth import half_width, half_widths
from nucleate.detect.phases import Phase
from nucleate.detect.score import score_half_width

ACCURACY = "agreement.all.accuracy"


def curve(metric, values, se, counts=(), unit="fraction", chance=0.5):
    steps = tuple(Step(k, 1000 * (k + 1)) for k in range(len(values)))
    return Curve(metric, Level.SYNTAX, unit, chance, steps, values, se, counts)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_accuracy_at_its_bound_reaches_to_the_far_end_of_its_wilson_interval(value):
    # z² / (n + z²) with z = 1.96: 3.8416 / 103.8416 and 3.8416 / 7.8416.
    assert half_width(ACCURACY, value, 0.0, 100) == pytest.approx(0.036995, abs=1e-6)
    assert half_width("blimp.all.acc_norm", value, 0.0, 4) == pytest.approx(0.4899, abs=1e-4)


def test_other_accuracies_keep_1_96_standard_errors():
    assert half_width(ACCURACY, 0.9, 0.03, 100) == pytest.approx(0.0588)
    assert half_width(ACCURACY, 1.0, 0.0, 0) == 0.0  # nobody says of how many items
    assert math.isnan(half_width(ACCURACY, 1.0, math.nan, 100))


@pytest.mark.parametrize(
    ("n", "quantile"),
    [(2, 12.7062), (3, 4.3027), (4, 3.1824), (31, 2.0423), (0, 1.96), (1, 1.96), (400, 1.96)],
)
def test_means_over_few_items_have_student_intervals(n, quantile):
    """Quantiles of Student's t at .975 from printed tables, with n − 1 degrees of freedom."""
    assert half_width("llc.all.value", 5.0, 0.5, n) == pytest.approx(0.5 * quantile, rel=1e-4)


def test_a_curve_has_them_one_by_one_and_its_score_in_its_own_scale():
    found = curve(ACCURACY, (0.5, 1.0), (0.05, 0.0), (100, 100))
    assert half_widths(found) == pytest.approx([0.098, 0.036995], abs=1e-6)
    assert score_half_width(found) == pytest.approx([0.196, 0.07399], abs=1e-6)
    bare = curve("loss.all.nll", (4.0, 2.0), (0.1, 0.2), unit="nats", chance=math.nan)
    assert half_widths(bare) == pytest.approx([0.196, 0.392])


def test_a_phase_that_ends_at_a_score_of_1_does_not_claim_certainty():
    found = curve(ACCURACY, (0.5, 1.0), (0.05, 0.0), (100, 100))
    phase = Phase("refinement", 0.0, 2000.0, (0.0, 0.0), "why")
    (row,) = claim_table([phase], {ACCURACY: found}, {Level.SYNTAX: ACCURACY}, 2000.0)
    assert row.scores["syntax"].plus_minus == pytest.approx(0.07399, abs=1e-6)
