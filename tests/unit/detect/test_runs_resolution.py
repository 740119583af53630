import numpy as np
import pytest
from scipy import stats

from nucleate.detect.runs import (
    binomial_stderr,
    clopper_pearson,
    exact_match,
    resolution,
    rule_of_three,
    smallest_resolvable,
    upper_bound_at_zero,
)


def test_zero_of_5153_still_allows_p_below_6e_4():
    assert upper_bound_at_zero(5153) == pytest.approx(1 - 0.05 ** (1 / 5153), rel=1e-9)
    assert 5.8e-4 < upper_bound_at_zero(5153) < rule_of_three(5153) < 6e-4


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (500, 1000), (1, 5153)])
def test_clopper_pearson_is_scipys_exact_interval(k, n):
    expected = stats.binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high), rel=1e-9)


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.5])
def test_the_smallest_resolvable_accuracy_has_the_promised_power_and_size(chance):
    n, p = 60, smallest_resolvable(60, chance)
    k = min(k for k in range(1, n + 1) if stats.binom.sf(k - 1, n, chance) <= 0.05)
    assert stats.binom.sf(k - 1, n, p) == pytest.approx(0.8, abs=1e-9)
    assert p > chance


def test_four_items_at_chance_one_half_can_never_show_anything():
    # Four of four has probability 1/16 at chance, above 5 %; five of five has 1/32.
    assert np.isnan(smallest_resolvable(4, 0.5))
    assert np.isfinite(smallest_resolvable(5, 0.5))
    assert "not even 4 right" in resolution(4, 0.5).note


def test_exact_match_of_independent_tokens():
    assert exact_match([0.0, 0.5, 0.9, 1.0], 5) == pytest.approx([0.0, 0.03125, 0.59049, 1.0])
    found = resolution(1000, answer_tokens=5)
    # Half of all readings are 0 there: (1 − p^5)^1000 = ½.
    assert (1 - found.token_probability**5) ** 1000 == pytest.approx(0.5)
    assert "looks like a late jump" in found.note
    assert "jump" not in resolution(1000).note


def test_standard_errors_are_those_of_the_jeffreys_posterior():
    values, n = np.array([0.0, 0.1, 0.5, 1.0]), 200
    expected = stats.beta(n * values + 0.5, n * (1 - values) + 0.5).std()
    assert binomial_stderr(values, n) == pytest.approx(expected)
    assert binomial_stderr(0.5, 10_000) == pytest.approx(0.005, rel=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: upper_bound_at_zero(0),
        lambda: clopper_pearson(11, 10),
        lambda: smallest_resolvable(10, 1.0),
        lambda: exact_match(0.5, 0),
        lambda: exact_match(1.5, 2),
        lambda: binomial_stderr([1.2], 10),
        lambda: upper_bound_at_zero(10, 1.0),
        lambda: resolution(10, answer_tokens=0),
    ],
)
def test_impossible_questions_are_refused(call):
    with pytest.raises(ValueError, match=r"must|at least"):
        call()
