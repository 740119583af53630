import numpy as np
import pytest

from nucleate.core import Level
from nucleate.corpora.items import Slot
from nucleate.probes.behaviour.slots import Answered
from nucleate.probes.behaviour.state import _balanced
from nucleate.probes.readings import (
    choice_readings,
    mean_reading,
    pair_readings,
    standard_error,
    tie_aware_hit,
)


def test_the_cluster_robust_error_by_hand():
    """Residuals ±0.5 add up to 1 and -1 inside two clusters: sqrt((1 + 1) · 2/1) / 4 = 1/2."""
    scores = np.array([1.0, 1.0, 0.0, 0.0])
    assert standard_error(scores, [7, 7, 9, 9]) == pytest.approx(0.5)
    # Clusters whose members cancel know the mean exactly.
    assert standard_error(scores, [7, 9, 7, 9]) == 0
    # Uneven ones: residuals (.5 + .5 - .5, -.5), so sqrt(2 · (.25 + .25)) / 4.
    assert standard_error(scores, [7, 7, 7, 9]) == pytest.approx(0.25)


def test_clusters_of_one_are_no_clusters():
    scores = np.array([0.3, 2.0, -1.0, 0.5, 0.1])
    textbook = scores.std(ddof=1) / np.sqrt(5)
    assert standard_error(scores) == pytest.approx(textbook)
    assert standard_error(scores, [-1, 4, -3, 0, 2]) == pytest.approx(textbook)


@pytest.mark.parametrize(("scores", "clusters"), [([], None), ([1.0], None), ([1.0, 0.0], [3, 3])])
def test_one_cluster_says_nothing_of_the_error(scores, clusters):
    assert np.isnan(standard_error(np.array(scores), clusters))


def test_no_score_is_no_value():
    reading = mean_reading("a.b", [], level=Level.SYNTAX, unit="nats")
    assert np.isnan(reading.value)
    assert reading.n == 0


@pytest.mark.parametrize(
    ("scores", "hit"),
    [
        ([0.0, -1.0], 1),
        ([-1.0, 0.0], 0),
        ([0.0, 0.0, -1.0], 1 / 2),
        ([0.0, 0.0, 0.0, 0.0], 1 / 4),
        ([-1.0, 0.0, 0.0], 0),
    ],
)
def test_ties_share_the_point(scores, hit):
    assert tie_aware_hit(np.array(scores)) == hit


def test_choices_by_hand():
    items = [np.log([0.5, 0.25, 0.25]), np.log([0.1, 0.6, 0.3])]
    accuracy, margin = choice_readings("a.b", items, level=Level.SYNTAX)
    assert (accuracy.metric, margin.metric) == ("a.b.accuracy", "a.b.margin")
    assert (accuracy.value, accuracy.chance) == (0.5, pytest.approx(1 / 3))
    assert margin.items == pytest.approx((0.0, np.log(0.1 / 0.9)))
    assert margin.chance == pytest.approx(-np.log(2))  # what a uniform model has
    assert list(choice_readings("a.b", [], level=Level.SYNTAX)) == []


def test_pairs_by_hand():
    accuracy, margin = pair_readings(
        "a", [0.0, 2.0, -1.0, 3.0], level=Level.NARRATIVE, clusters=[0, 0, 1, 1]
    )
    assert (accuracy.value, accuracy.chance, accuracy.items) == (0.625, 0.5, (0.5, 1, 0, 1))
    assert (margin.value, margin.chance) == (1.0, 0.0)
    # Residuals (-.125 + .375, -.625 + .375) = (.25, -.25): sqrt(2 · 2 · .0625) / 4.
    assert accuracy.se == pytest.approx(0.125)


def answered(hit, passage):
    scores = np.array([0.0, -1.0]) if hit else np.array([-1.0, 0.0])
    return Answered(Slot("where", 0, "a", ("b",)), passage, scores)


def test_the_balanced_state_counts_stories_not_slots():
    near, far = [answered(True, 0), answered(False, 1)], [answered(True, 0), answered(False, 1)]
    together = next(iter(_balanced("s", near, far)))
    assert (together.value, together.n) == (0.5, 4)
    assert together.se == pytest.approx(0.5)  # two stories, one all right and one all wrong
    far = [answered(False, 0), answered(True, 1)]
    opposite = next(iter(_balanced("s", near, far)))
    assert opposite.se == 0  # each story scores exactly one half


def test_both_conditions_of_the_state_weigh_the_same():
    near, far = [answered(True, n) for n in range(9)], [answered(False, 9), answered(False, 10)]
    accuracy = next(iter(_balanced("s", near, far)))
    assert accuracy.value == 0.5
    assert list(_balanced("s", near, [])) == []


def test_a_diverged_model_has_no_answer_instead_of_a_wrong_one():
    nan = float("nan")
    (accuracy, margin) = pair_readings("a", [nan, nan, nan], level=Level.SYNTAX)
    assert np.isnan(accuracy.value)
    assert np.isnan(margin.value)
    (accuracy, _) = choice_readings("a", [np.array([nan, nan])] * 3, level=Level.SYNTAX)
    assert np.isnan(accuracy.value)
