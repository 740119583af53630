import subprocess
import sys

import numpy as np
import pytest

from nucleate.core import Kind, Verdict
from nucleate.detect import assess, transitions
from nucleate.detect.likelihood import Grid
from nucleate.detect.profile import relocate
from nucleate.detect.series import MAX_POINTS, clean


def steps_of(found):
    return [change for change in found if change.kind is Kind.STEP]


@pytest.mark.parametrize(
    ("centre", "width", "height"), [(5.2, 0.05, 0.4), (5.8, 0.2, 0.4), (6.4, 0.1, -0.3)]
)
def test_a_jump_is_found_where_it_was_put(toy, rng, centre, width, height):
    values = 0.5 + height * toy.logistic(toy.x, centre, width) + 0.01 * rng.standard_normal(50)
    (change,) = steps_of(transitions(toy.tokens, values, metric="m.accuracy"))
    assert abs(np.log10(change.at) - centre) < 0.05
    assert abs(change.width - width) < 0.12
    assert change.amplitude == pytest.approx(height, rel=0.1)
    assert change.onset == pytest.approx(change.at * 10 ** (-change.width / 2))
    assert change.verdict is Verdict.STEP_LIKE
    assert change.metric == "m.accuracy"
    assert change.evidence.p <= 0.005
    assert change.evidence.q is None
    assert change.evidence.delta_bic > 10.0


@pytest.mark.parametrize("power", [-1000, -530, 530, 1020])
def test_the_unit_of_a_metric_changes_nothing_not_even_near_the_ends_of_floating_point(
    toy, rng, power
):
    values = 0.5 + 0.4 * toy.logistic(toy.x, 5.8, 0.1) + 0.01 * rng.standard_normal(50)
    plain = assess(toy.tokens, values, 0.01)
    # A power of two changes the exponent of a value and none of its digits.
    far = assess(toy.tokens, np.ldexp(values, power), float(np.ldexp(0.01, power)))
    assert far.verdict is plain.verdict is Verdict.STEP_LIKE
    (before,), (after,) = plain.transitions, far.transitions
    assert (after.at, after.lo, after.hi) == (before.at, before.lo, before.hi)
    assert after.evidence == before.evidence
    assert np.ldexp(after.amplitude, -power) == before.amplitude
    assert after.amplitude == pytest.approx(np.ldexp(0.4, power), rel=0.1)


def test_a_jump_on_a_falling_loss_is_found(toy, rng):
    values = toy.power_law(toy.x) - 0.4 * toy.logistic(toy.x, 6.0, 0.1)
    values = values + 0.02 * rng.standard_normal(50)
    (change,) = steps_of(transitions(toy.tokens, values))
    assert abs(np.log10(change.at) - 6.0) < 0.07
    assert change.amplitude == pytest.approx(-0.4, rel=0.25)


def test_two_jumps_are_both_found(toy, rng):
    values = 0.3 * toy.logistic(toy.x, 5.0, 0.08) + 0.3 * toy.logistic(toy.x, 6.3, 0.08)
    found = steps_of(transitions(toy.tokens, values + 0.01 * rng.standard_normal(50)))
    assert [round(np.log10(change.at), 1) for change in found] == [5.0, 6.3]


@pytest.mark.parametrize("seed", range(4))
def test_a_fall_and_a_rise_that_hide_each_other_are_both_found(seed):
    # Alone, either is best explained by one that is too wide to be sharp.
    x = np.linspace(1.5, 5.0, 24)
    trend = 0.5 * np.tanh((x - 3.0) / 1.5)
    fall, rise = (
        size / (1.0 + 9.0 ** (-2.0 * (x - at) / width))
        for size, at, width in ((-1.0, 2.92, 0.11), (1.1, 3.6, 0.20))
    )
    noise = 0.04 * np.random.default_rng(seed).standard_normal(x.size)
    first, second = assess(10.0**x, trend + fall + rise + noise).transitions
    assert np.log10(first.at) == pytest.approx(2.92, abs=0.08)
    assert np.log10(second.at) == pytest.approx(3.60, abs=0.08)
    assert first.amplitude == pytest.approx(-1.0, abs=0.25)
    assert second.amplitude == pytest.approx(1.1, abs=0.25)


def test_a_place_is_bounded_by_what_is_known_of_it_but_its_interval_is_not():
    x = np.linspace(0.0, 3.0, 40)
    y = 1.0 * (x > 1.5) + 0.01 * np.cos(7.0 * np.arange(40.0) ** 2)
    grid = Grid(x, 0.4)
    form = next(form for form in grid.events.forms if form.kind != "hinge")
    free = relocate(grid, y, form, 1.7, 0.6)
    bound = relocate(grid, y, form, 1.7, 0.6, within=(1.65, 1.85))
    assert free.at == pytest.approx(1.5, abs=0.05)
    assert 1.65 <= bound.at <= 1.85
    assert bound.lo <= 1.5 <= bound.hi


def test_the_interval_holds_the_readings_around_the_jump(toy):
    # Almost no noise and an almost vertical jump: the likelihood alone would say ± nothing.
    values = toy.logistic(toy.x, 5.63, 0.01) + 1e-4 * np.cos(np.arange(50) ** 2)
    (change,) = steps_of(transitions(toy.tokens, values))
    below, above = toy.tokens[toy.x <= 5.63].max(), toy.tokens[toy.x >= 5.63].min()
    assert change.lo <= below * (1 + 1e-9)
    assert change.hi >= above * (1 - 1e-9)
    assert np.log10(change.hi / change.lo) < 0.25


def test_a_jump_between_readings_too_far_apart_is_not_called_sharp(rng):
    x = np.concatenate([np.linspace(4, 5.2, 15), np.linspace(5.8, 7, 15)])
    values = (x > 5.5) + 0.01 * rng.standard_normal(30)
    found = assess(10**x, values)
    assert found.verdict is Verdict.BROAD_RISE
    assert found.lo <= 10**5.21
    assert found.hi >= 10**5.79


@pytest.mark.parametrize("width", [1.0, 1.5])
def test_a_broad_rise_has_an_onset_and_no_transition(toy, rng, width):
    values = 0.25 + 0.5 * toy.logistic(toy.x, 5.6, width) + 0.01 * rng.standard_normal(50)
    found = assess(toy.tokens, values, chance=0.25)
    assert found.verdict is Verdict.BROAD_RISE
    assert found.transitions == ()
    assert abs(np.log10(found.at) - 5.6) < 0.1
    assert abs(found.width - width) < 0.3 * width
    assert abs(np.log10(found.onset) - (5.6 - width / 2)) < 0.25
    assert found.lo < found.at < found.hi
    assert found.start == pytest.approx(0.25, abs=0.03)
    assert found.end == pytest.approx(0.75, abs=0.03)
    assert "onset between" in found.note


@pytest.mark.parametrize("seed", range(4))
def test_a_late_decline_of_the_learning_rate_is_not_a_transition(toy, seed):
    noise = 0.01 * np.random.default_rng(seed).standard_normal(50)
    done = toy.tokens / toy.tokens[-1]
    warm_stable_decay = -0.15 * np.maximum(0.0, (done - 0.8) / 0.2)
    cosine = -0.15 * (1.0 - np.cos(np.pi * done)) / 2.0
    for decline in (warm_stable_decay, cosine):
        assert transitions(toy.tokens, toy.power_law(toy.x) + decline + noise) == []


@pytest.mark.parametrize("position", [0, 10, 25, 49])
@pytest.mark.parametrize("height", [-1.0, 3.0])
def test_one_wild_reading_is_not_a_transition(toy, rng, position, height):
    values = toy.power_law(toy.x) + 0.02 * rng.standard_normal(50)
    values[position] += height
    found = transitions(toy.tokens, values)
    assert all(change.kind is Kind.SPIKE for change in found)
    assert all(change.verdict is Verdict.SMOOTH for change in found)
    assert assess(toy.tokens, values).transitions == ()
    if position in (10, 25):
        (spike,) = found
        assert spike.at == pytest.approx(toy.tokens[position])
        assert spike.amplitude == pytest.approx(height, rel=0.15)


def test_a_jump_that_comes_back_is_a_spike(toy, rng):
    values = toy.power_law(toy.x) + 0.02 * rng.standard_normal(50)
    values[20:26] += 0.6
    found = assess(toy.tokens, values)
    assert found.transitions == ()
    assert "spike" in found.note


def test_a_wild_reading_does_not_hide_a_jump(toy, rng):
    values = 0.5 + 0.4 * toy.logistic(toy.x, 6.2, 0.1) + 0.01 * rng.standard_normal(50)
    values[12] += 2.0
    (change,) = steps_of(transitions(toy.tokens, values))
    assert abs(np.log10(change.at) - 6.2) < 0.05


def test_a_sudden_change_of_slope_is_a_kink(toy, rng):
    values = 0.3 * np.maximum(0.0, toy.x - 5.6) + 0.005 * rng.standard_normal(50)
    found = assess(toy.tokens, values)
    assert found.verdict is Verdict.KINK
    assert abs(np.log10(found.at) - 5.6) < 0.12
    assert found.transitions[0].amplitude == pytest.approx(0.3, rel=0.3)


def test_constant_and_flat_curves_are_smooth_and_never_left_chance(toy, rng):
    constant = assess(toy.tokens, np.full(50, 0.5), chance=0.5)
    flat = assess(toy.tokens, 0.5 + 0.01 * rng.standard_normal(50), chance=0.5)
    for found in (constant, flat):
        assert found.verdict is Verdict.SMOOTH
        assert "never left chance" in found.note
        assert np.isnan(found.at)
    away = assess(toy.tokens, np.full(50, 0.7), chance=0.5)
    assert "never left chance" not in away.note


def test_a_curve_that_is_constant_but_for_spikes_is_no_broad_change():
    """An accuracy of 64 items that one more is answered rightly of, twice, and no more."""
    tokens = np.logspace(4.6, 5.3, 10)
    values = np.full(10, 7 / 64)
    values[[4, 9]] = 8 / 64
    found = assess(tokens, values, np.full(10, 0.04), chance=0.1)
    assert found.verdict is Verdict.SMOOTH
    assert "constant at 0.1094" in found.note


def test_few_readings_are_unresolved(toy):
    found = assess(toy.tokens[:7], np.arange(7.0))
    assert found.verdict is Verdict.UNRESOLVED
    assert "7 usable readings" in found.note
    assert assess([], []).verdict is Verdict.UNRESOLVED


def test_unusable_readings_are_dropped(toy, rng):
    values = toy.logistic(toy.x, 5.6, 0.1) + 0.01 * rng.standard_normal(50)
    messy_steps = np.concatenate([[0.0, -5.0, np.nan, 1e5], toy.tokens])[::-1]
    messy_values = np.concatenate([[9.0, 9.0, 9.0, np.nan], values])[::-1]
    assert transitions(messy_steps, messy_values) == transitions(toy.tokens, values)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        assess([1.0, 2.0], [1.0])


def test_units_and_axis_do_not_matter(toy, rng):
    values = 0.4 * toy.logistic(toy.x, 5.6, 0.15) + 0.01 * rng.standard_normal(50)
    (plain,) = transitions(toy.tokens, values)
    (scaled,) = transitions(toy.tokens / 524288, 7.0 - 1000.0 * values)
    assert scaled.at * 524288 == pytest.approx(plain.at, rel=1e-5)
    assert scaled.lo * 524288 == pytest.approx(plain.lo, rel=1e-5)
    assert scaled.hi * 524288 == pytest.approx(plain.hi, rel=1e-5)
    assert scaled.width == pytest.approx(plain.width)
    assert scaled.amplitude == pytest.approx(-1000.0 * plain.amplitude, rel=1e-5)
    assert scaled.evidence.p == pytest.approx(plain.evidence.p, rel=1e-3)


def test_the_same_seed_gives_the_same_answer(toy, rng):
    values = 0.1 * toy.logistic(toy.x, 5.6, 0.15) + 0.02 * rng.standard_normal(50)
    assert repr(assess(toy.tokens, values, seed=3)) == repr(assess(toy.tokens, values, seed=3))


def test_a_change_within_the_standard_errors_is_not_claimed(toy, rng):
    values = 0.5 + 0.02 * toy.logistic(toy.x, 5.6, 0.1) + 0.001 * rng.standard_normal(50)
    assert transitions(toy.tokens, values)
    assert transitions(toy.tokens, values, np.full(50, 0.02)) == []


def test_long_curves_are_averaged_on_the_log_axis(rng):
    steps = np.arange(1, 5001)
    series = clean(steps, rng.standard_normal(5000))
    assert series.x.size <= MAX_POINTS
    assert np.all(np.diff(series.x) > 0)


def test_a_jump_in_a_loss_logged_at_every_step_is_found(rng):
    steps = np.arange(1.0, 4001.0)
    loss = 2.0 + 6.0 * (1 + steps / 20) ** -0.4 - 0.5 * (steps > 900)
    found = steps_of(transitions(steps, loss + 0.1 * rng.standard_normal(4000)))
    assert len(found) == 1
    assert found[0].lo <= 900 <= found[0].hi


def test_importing_detect_leaves_scipy_and_torch_alone():
    code = "import sys, nucleate.detect; print(*(m in sys.modules for m in ('scipy', 'torch')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
