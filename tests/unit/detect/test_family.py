from dataclasses import replace

import numpy as np
import pytest

from nucleate.core import Level, Verdict
from nucleate.detect import assess_curves, benjamini_yekutieli


def test_benjamini_yekutieli_on_a_worked_example():
    # m = 3, harmonic sum 11/6: 0.01·3·(11/6)/1, 0.02·3·(11/6)/2, 0.9·(11/6) cut at 1.
    assert benjamini_yekutieli([0.01, 0.9, 0.02]) == pytest.approx([0.055, 1.0, 0.055])
    assert benjamini_yekutieli([]) == []


def pair(toy, rng, accuracy, margin):
    noise = rng.standard_normal((2, 50))
    return {
        "a.b.accuracy": toy.curve("a.b.accuracy", accuracy + 0.01 * noise[0]),
        "a.b.margin": toy.curve(
            "a.b.margin", margin + 0.05 * noise[1], unit="nats", chance=0.0, se=0.05
        ),
    }


def test_accuracy_and_margin_together_make_a_transition_candidate(toy, rng):
    curves = pair(
        toy,
        rng,
        0.5 + 0.45 * toy.logistic(toy.x, 5.62, 0.1),
        -0.2 + 3.0 * toy.logistic(toy.x, 5.58, 0.15),
    )
    for found in assess_curves(curves).values():
        assert found.verdict is Verdict.TRANSITION_CANDIDATE
        assert found.transitions[0].verdict is Verdict.TRANSITION_CANDIDATE
        assert found.transitions[0].evidence.q is not None
        assert found.transitions[0].evidence.q >= found.transitions[0].evidence.p
        assert "confirmed by accuracy and margin" in found.note


def test_an_accuracy_that_jumps_over_a_smooth_margin_is_an_artefact(toy, rng):
    margin = -3.0 + 5.0 * toy.logistic(toy.x, 5.6, 1.6)
    accuracy = 0.5 + 0.45 * toy.logistic(toy.x, 5.6, 0.1)
    found = assess_curves(pair(toy, rng, accuracy, margin))
    assert found["a.b.accuracy"].verdict is Verdict.METRIC_ARTEFACT
    assert all(
        change.verdict is Verdict.METRIC_ARTEFACT for change in found["a.b.accuracy"].transitions
    )
    assert "metric artefact" in found["a.b.accuracy"].note
    assert found["a.b.margin"].verdict is Verdict.BROAD_RISE


def test_jumps_at_different_places_do_not_confirm_each_other(toy, rng):
    curves = pair(
        toy,
        rng,
        0.5 + 0.45 * toy.logistic(toy.x, 6.2, 0.1),
        3.0 * toy.logistic(toy.x, 5.2, 0.1),
    )
    found = assess_curves(curves)
    assert found["a.b.accuracy"].verdict is Verdict.STEP_LIKE
    assert found["a.b.margin"].verdict is Verdict.STEP_LIKE
    assert "elsewhere" in found["a.b.accuracy"].note


def test_opposite_directions_do_not_confirm_each_other(toy, rng):
    curves = pair(
        toy,
        rng,
        0.5 + 0.45 * toy.logistic(toy.x, 5.6, 0.1),
        -3.0 * toy.logistic(toy.x, 5.6, 0.1),
    )
    assert assess_curves(curves)["a.b.accuracy"].verdict is Verdict.STEP_LIKE


def test_without_a_companion_a_jump_is_step_like_at_most(toy, rng):
    noise = rng.standard_normal((2, 50))
    curves = {
        "c.accuracy": toy.curve(
            "c.accuracy", 0.5 + 0.4 * toy.logistic(toy.x, 5.6, 0.1) + 0.01 * noise[0]
        ),
        "val.loss": toy.curve(
            "val.loss",
            toy.power_law(toy.x) - 0.5 * toy.logistic(toy.x, 5.6, 0.1) + 0.02 * noise[1],
            unit="nats/token",
            chance=np.nan,
            se=np.nan,
        ),
    }
    found = assess_curves(curves)
    assert {name: a.verdict for name, a in found.items()} == {
        "c.accuracy": Verdict.STEP_LIKE,
        "val.loss": Verdict.STEP_LIKE,
    }
    assert "no continuous companion" in found["c.accuracy"].note


def test_curves_with_gaps_of_their_own_are_handled(toy, rng):
    short = toy.curve("s.accuracy", np.full(5, 0.5), x=toy.x[:5])
    holes = 0.5 + 0.01 * rng.standard_normal(50)
    holes[3:9] = np.nan
    found = assess_curves({"s.accuracy": short, "h.accuracy": toy.curve("h.accuracy", holes)})
    assert found["s.accuracy"].verdict is Verdict.UNRESOLVED
    assert found["h.accuracy"].verdict is Verdict.SMOOTH
    assert "never left chance" in found["h.accuracy"].note
    assert assess_curves({}) == {}


def test_a_family_of_flat_and_smooth_curves_gives_no_step(toy):
    rng = np.random.default_rng(5)
    curves = {}
    for index in range(16):
        flat = np.full(50, 0.25) if index % 2 else 0.25 + 0.4 * toy.logistic(toy.x, 5.8, 1.2)
        name = f"m{index}.accuracy"
        curves[name] = toy.curve(
            name, flat + 0.012 * rng.standard_normal(50), level=Level.SEMANTICS, chance=0.25
        )
    verdicts = [found.verdict for found in assess_curves(curves).values()]
    assert set(verdicts) <= {Verdict.SMOOTH, Verdict.BROAD_RISE}
    assert verdicts[::2] == [Verdict.BROAD_RISE] * 8


def test_arriving_at_a_bound_is_no_kink(toy, rng):
    """A loss gap that falls in a straight line to nought has a corner there by construction."""
    gap = np.maximum(0.0, 2.0 * (5.6 - toy.x) / 0.6) + 0.0
    gap[toy.x < 5.6] += 0.005 * rng.standard_normal(np.count_nonzero(toy.x < 5.6))
    curve = replace(toy.curve("ngram.bigram.gap_nll", gap), unit="nats/token")
    free = replace(toy.curve("other.bigram.kl", gap), unit="nats")
    found = assess_curves({curve.metric: curve, free.metric: free})
    assert found["other.bigram.kl"].verdict is Verdict.KINK
    assert found["ngram.bigram.gap_nll"].verdict is Verdict.BROAD_RISE
