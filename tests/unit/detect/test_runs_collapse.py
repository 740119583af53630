import numpy as np
import pytest

from nucleate.detect.runs import collapse_test

U = np.linspace(2.0, 5.0, 25)
ITEMS = 1000


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def runs(rng, shifts=(0.0, 0.3, 0.6, 0.9), probability=None):
    """Return readings of runs whose companion rises later by `shifts` decades."""
    x = np.concatenate([4.0 * (U - 3.0 - shift) for shift in shifts])
    label, position = np.repeat(np.arange(len(shifts)), U.size), np.tile(10**U, len(shifts))
    p = 0.9 * sigmoid(x / 1.5) if probability is None else probability(x, position, label)
    return {
        "companion": x,
        "accuracy": rng.binomial(ITEMS, p) / ITEMS,
        "run": label,
        "n": ITEMS,
        "positions": position,
        "num_simulations": 100,
    }


def test_one_curve_for_all_runs_collapses_and_is_seldom_rejected():
    found = [collapse_test(**runs(np.random.default_rng(seed))) for seed in range(20)]
    assert all(one.verdict.startswith("collapses") for one in found)
    # 5 % of 20: five or more would have probability 0.3 %.
    assert sum(one.p <= 0.05 for one in found) < 5
    # Binomial noise near one half: √(.25 / 1000) = .016 at most.
    assert all(0.010 < one.scatter < 0.022 for one in found)


def test_a_falling_companion_is_turned_and_its_knots_are_its_own(rng):
    data = runs(rng)
    data["companion"] = -data["companion"]
    found = collapse_test(**data)
    assert found.verdict.startswith("collapses")
    knots, values = map(np.array, found.knots)
    assert np.all(np.diff(knots) > 0)
    assert np.all(np.diff(values) <= 0)
    assert values[0] == pytest.approx(0.9, abs=0.02)


def test_accuracy_that_jumps_at_a_fixed_time_whatever_its_companion_does(rng):
    found = collapse_test(
        **runs(rng, probability=lambda x, t, run: np.where(t > 10**3.8, 0.8, 0.05))
    )
    assert found.verdict == "does not collapse"
    assert found.p == pytest.approx(1 / 101)
    assert found.excess > 0.2
    assert found.by_position < 0.05


def test_one_run_that_jumps_on_its_own_is_enough(rng):
    def late(x, t, run):
        held_back = (run == 1) & (t < 10**3.8)
        return 0.9 * sigmoid(x / 1.5) * np.where(held_back, 0.4, 1.0)

    assert collapse_test(**runs(rng, probability=late)).verdict == "does not collapse"


def test_runs_that_differ_in_nothing_show_nothing(rng):
    found = collapse_test(**runs(rng, shifts=(0.0, 0.0, 0.0)))
    assert found.verdict == "cannot tell"
    assert "position alone" in found.note
    data = runs(rng, shifts=(0.0, 0.0, 0.0))
    data["positions"] = None
    assert "not known whether the runs differ in time" in collapse_test(**data).note


def test_noise_in_the_companion_is_allowed_for(rng):
    data = runs(rng, shifts=(0.0, 0.4, 0.8))
    data["companion"] = data["companion"] + 0.3 * rng.standard_normal(data["run"].size)
    ignored = collapse_test(**data)
    allowed = collapse_test(**data, companion_stderr=np.full(data["run"].size, 0.3))
    assert ignored.p <= 0.05 < allowed.p


def test_refusals(rng):
    assert "one run is one curve" in collapse_test(**runs(rng, shifts=(0.0,))).note
    flat = collapse_test(**runs(rng, probability=lambda x, t, run: 0.5 + 0 * x))
    assert flat.verdict == "cannot tell"
    assert "does not rise" in flat.note
    apart = collapse_test(**runs(rng, shifts=(0.0, 3.5)))
    assert apart.verdict == "cannot tell"
    few = {key: v[:6] if isinstance(v, np.ndarray) else v for key, v in runs(rng).items()}
    few["run"] = np.array([0, 1] * 3)
    assert "too few" in collapse_test(**few).note
    with pytest.raises(ValueError, match="one shape"):
        collapse_test([1.0, 2.0], [0.5], [0], n=10)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        collapse_test([1.0, 2.0], [0.5, 1.5], [0, 1], n=10)
