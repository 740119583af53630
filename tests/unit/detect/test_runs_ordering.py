import math

import numpy as np
import pytest
from scipy import stats

from nucleate.core import Assessment, Verdict
from nucleate.detect.runs import Timing, holm, ordering, ordering_table, sign_test


def seen(at, spread=1.05):
    return Timing(at, at / spread, at * spread)


@pytest.mark.parametrize(("plus", "minus"), [(5, 0), (7, 2), (2, 7), (4, 4), (0, 0), (1, 12)])
def test_the_sign_test_is_scipys_binomial_test(plus, minus):
    one, two = sign_test(plus, minus)
    if plus + minus == 0:
        assert (one, two) == (1.0, 1.0)
        return
    exact = stats.binomtest(plus, plus + minus, alternative="greater").pvalue
    assert one == pytest.approx(exact)
    assert two == pytest.approx(stats.binomtest(plus, plus + minus).pvalue)


def test_five_agreeing_seeds_carry_a_verdict_and_four_do_not():
    syntax, narrative = [seen(1e5)] * 5, [seen(1e6)] * 5
    found = ordering(syntax, narrative, names=("syntax", "narrative"))
    assert (found.verdict, found.before, found.p_before) == ("before", 5, 1 / 32)
    assert found.median == found.lo == found.hi == pytest.approx(1.0)
    assert "syntax comes before narrative" in found.note
    fewer = ordering(syntax[:4], narrative[:4])
    assert fewer.verdict == "not enough seeds"
    assert "at least 5" in fewer.note
    assert math.isnan(ordering(syntax[:2], narrative[:2]).median)


def test_the_opposite_order_must_pass_the_two_sided_test():
    late, early = [seen(1e6)] * 5, [seen(1e5)] * 5
    assert ordering(late, early).verdict == "not distinguishable"
    assert ordering([*late, late[0]], [*early, early[0]]).verdict == "after"


def test_overlapping_intervals_are_undecided():
    a, b = [Timing(2e5, 1e5, 4e5)] * 6, [Timing(3e5, 1.5e5, 6e5)] * 6
    found = ordering(a, b)
    assert (found.before, found.undecided, found.verdict) == (0, 6, "not distinguishable")
    assert found.median == pytest.approx(math.log10(1.5))


def test_intervals_reach_the_readings_around_them_and_unequal_grids_warn():
    a, b = [Timing(700.0, 650.0, 750.0)] * 6, [Timing(900.0, 880.0, 920.0)] * 6
    sparse, dense = [128, 256, 512, 1000, 3000], np.arange(100, 3000, 50.0)
    assert ordering(a, b).verdict == "before"
    same = ordering(a, b, grids=(sparse, sparse))
    assert (same.undecided, same.warnings) == (6, ())
    assert "different places" in ordering(a, b, grids=(sparse, dense)).warnings[0]


def test_censored_seeds_count_where_they_decide():
    learned, never = seen(1e5), Timing.not_by(1e9)
    found = ordering([learned] * 6, [never] * 5 + [Timing.unresolved()])
    assert (found.before, found.undecided, found.verdict) == (5, 1, "before")
    assert found.median == math.inf
    assert ordering([never] * 6, [never] * 6).undecided == 6
    assert ordering([Timing.already_by(1e4)] * 6, [learned] * 6).before == 6
    # It changed at 2e9, after the other's run had ended at 1e9: nothing is known of the order.
    assert ordering([seen(2e9)] * 6, [never] * 6).undecided == 6


def test_timings_are_read_off_assessments():
    def at(verdict, *place):
        return Timing.of(Assessment("m", verdict, (), *place), end=1e9)

    assert at(Verdict.STEP_LIKE, 1e5, 9e4, 1.2e5) == Timing(1e5, 9e4, 1.2e5)
    never, unknown = at(Verdict.SMOOTH), at(Verdict.UNRESOLVED, 1e5, 9e4, 1.2e5)
    assert (never.lo, never.hi) == (1e9, math.inf)
    assert (unknown.lo, unknown.hi) == (0.0, math.inf)
    # A profile interval may miss the fitted place by rounding; the timing holds both.
    assert at(Verdict.KINK, 1e5, 1.01e5, 1.2e5) == Timing(1e5, 1e5, 1.2e5)
    with pytest.raises(ValueError, match="lo ≤ hi"):
        Timing(1.0, 3.0, 2.0)


def test_the_bootstrap_interval_of_a_median_of_five_is_their_range():
    # The median of a resample is the smallest value with probability 5.8 %, so 2.5 % falls on it.
    b = [seen(10.0 ** (5 + step)) for step in (0.1, 0.2, 0.3, 0.4, 0.5)]
    found = ordering([seen(1e5, 1.01)] * 5, b)
    assert (found.lo, found.median, found.hi) == pytest.approx((0.1, 0.3, 0.5))


def test_holm_on_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_a_chain_is_one_claim_and_its_links_are_several():
    levels = {name: [seen(10.0**u)] * 5 for name, u in (("a", 4), ("b", 5), ("c", 6))}
    chain = ordering_table(levels)
    # Each link alone: p = 1/32. As a chain: the largest of them. Adjusted: 2/32 by Holm.
    assert (chain.verdict, chain.p_chain) == ("strict order", 1 / 32)
    assert [pair.q for pair in chain.pairs] == pytest.approx([1 / 16, 1 / 16])
    assert {pair.verdict for pair in chain.pairs} == {"not distinguishable"}
    by = ordering_table(levels, adjust="by")
    assert [pair.q for pair in by.pairs] == pytest.approx([1.5 / 32, 1.5 / 32])


def test_a_chain_is_as_weak_as_its_weakest_link():
    b = [seen(1e5)] * 5
    levels = {"a": [seen(1e4)] * 5, "b": b, "c": [seen(1e6)] * 4 + [seen(2e4)]}
    chain = ordering_table(levels)
    # The second link: 4 for, 1 against, p = (5 + 1) / 32.
    assert chain.p_chain == pytest.approx(6 / 32)
    assert chain.verdict == "not shown"


def test_a_link_that_runs_the_other_way_contradicts_the_chain():
    levels = {name: [seen(10.0**u)] * 8 for name, u in (("a", 4), ("b", 6), ("c", 5))}
    chain = ordering_table(levels)
    assert [pair.verdict for pair in chain.pairs] == ["before", "after"]
    assert chain.verdict == "contradicted"
    with pytest.raises(ValueError, match="at least two levels"):
        ordering_table({"a": [seen(1e4)]})
    with pytest.raises(ValueError, match="paired by seed"):
        ordering([seen(1e4)], [])
