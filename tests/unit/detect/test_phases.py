import time
from itertools import pairwise

import numpy as np
import pytest

from nucleate.core import Level
from nucleate.detect import assess_curves, claim_table, level_score, phases, running_phase

PRIMARY = {
    Level.COOCCURRENCE: "ngram.kl",
    Level.SYNTAX: "agreement.accuracy",
    Level.SEMANTICS: "cause.accuracy",
    Level.NARRATIVE: "state.accuracy",
    Level.KNOWLEDGE: "fact.accuracy",
    Level.TRUTH: "not.measured",
}
TOTAL = 10**7.3


@pytest.fixture
def run(toy, rng):
    """A run that climbs the ladder: n-grams 4.5, syntax 5.2, semantics 6.0, narrative 6.4."""
    noise = 0.01 * rng.standard_normal((5, 50))

    def rise(centre, width, chance, height):
        return chance + height * toy.logistic(toy.x, centre, width)

    falling = 4.0 * (1.0 - 0.8 * toy.logistic(toy.x, 4.6, 0.9))
    made = [
        ("ngram.kl", Level.COOCCURRENCE, "nats", np.nan, falling + 3 * noise[0]),
        ("agreement.accuracy", Level.SYNTAX, "fraction", 0.5, rise(5.3, 0.2, 0.5, 0.45) + noise[1]),
        ("cause.accuracy", Level.SEMANTICS, "fraction", 0.25, rise(6.0, 0.2, 0.25, 0.6) + noise[2]),
        ("state.accuracy", Level.NARRATIVE, "fraction", 0.5, rise(6.3, 0.5, 0.5, 0.4) + noise[3]),
        ("fact.accuracy", Level.KNOWLEDGE, "fraction", 0.25, 0.25 + noise[4]),
    ]
    return {
        name: toy.curve(name, values, level=level, unit=unit, chance=chance)
        for name, level, unit, chance, values in made
    }


def test_a_run_that_climbs_the_ladder_gets_its_four_phases(run):
    found = phases(assess_curves(run), run, PRIMARY, TOTAL)
    assert [phase.name for phase in found] == [
        "memorization",
        "syntactic organization",
        "semantic crystallization",
        "refinement",
    ]
    assert found[0].begin == 0.0
    assert found[-1].end == TOTAL
    for before, after in pairwise(found):
        assert before.end == after.begin
        assert after.begin_interval[0] <= after.begin <= after.begin_interval[1]
    # Onsets (10 %) of the planted rises: 5.3 − 0.1 and 6.0 − 0.1.
    assert abs(np.log10(found[1].begin) - 5.2) < 0.1
    assert abs(np.log10(found[2].begin) - 5.9) < 0.1
    assert found[0].scores["syntax"] < 0.1
    assert found[3].scores["syntax"] > 0.8
    assert "truth" not in found[3].scores


def test_the_claim_table_has_per_cent_scores_and_no_inventions(run):
    found = phases(assess_curves(run), run, PRIMARY, TOTAL)
    table = claim_table(found, run, PRIMARY, TOTAL)
    assert [row.phase for row in table] == [phase.name for phase in found]
    assert table[0].begin_percent == 0.0
    assert table[-1].end_percent == 100.0
    assert table[1].begin_percent == pytest.approx(100 * found[1].begin / TOTAL)
    last = table[-1].scores
    assert last["truth"] is None
    assert last["semantics"].value == pytest.approx(0.8, abs=0.05)
    # ± 1.96 standard errors of an accuracy, stretched by 1 / (1 − chance).
    assert last["semantics"].plus_minus == pytest.approx(1.96 * 0.01 / 0.75)
    with pytest.raises(ValueError, match="positive"):
        claim_table(found, run, PRIMARY, 0.0)


def test_a_run_where_nothing_rises_is_one_unresolved_phase(toy, rng):
    flat = {
        "agreement.accuracy": toy.curve("agreement.accuracy", 0.5 + 0.01 * rng.standard_normal(50))
    }
    (only,) = phases(assess_curves(flat), flat, PRIMARY, TOTAL)
    assert only.name == "unresolved"
    assert (only.begin, only.end) == (0.0, TOTAL)
    (nothing,) = phases({}, {}, PRIMARY, TOTAL)
    assert nothing.name == "unresolved"
    assert nothing.scores == {}


def test_rises_at_one_place_are_not_put_in_an_order(toy, rng):
    noise = 0.01 * rng.standard_normal((2, 50))
    together = {
        name: toy.curve(name, 0.5 + 0.4 * toy.logistic(toy.x, 5.6, 0.1) + noise[i], level=level)
        for i, (name, level) in enumerate(
            [("agreement.accuracy", Level.SYNTAX), ("cause.accuracy", Level.SEMANTICS)]
        )
    }
    names = [phase.name for phase in phases(assess_curves(together), together, PRIMARY, TOTAL)]
    assert "syntactic organization" not in names
    assert "semantic crystallization" not in names
    assert "unresolved" in names[1:]


def test_a_fall_of_accuracy_starts_no_phase(toy, rng):
    values = 0.9 - 0.4 * toy.logistic(toy.x, 5.6, 0.1) + 0.01 * rng.standard_normal(50)
    falling = {"agreement.accuracy": toy.curve("agreement.accuracy", values)}
    (only,) = phases(assess_curves(falling), falling, PRIMARY, TOTAL)
    assert only.name == "unresolved"


def test_a_rise_still_going_on_is_not_refinement(toy, rng):
    values = 0.5 + 0.4 * toy.logistic(toy.x, 7.2, 1.0) + 0.01 * rng.standard_normal(50)
    rising = {"cause.accuracy": toy.curve("cause.accuracy", values, level=Level.SEMANTICS)}
    names = [phase.name for phase in phases(assess_curves(rising), rising, PRIMARY, TOTAL)]
    assert "refinement" not in names
    assert names[-1] == "semantic crystallization"


def test_scores_have_the_stated_scale(toy):
    accuracy = toy.curve("a.accuracy", np.linspace(0.4, 1.0, 50), chance=0.5)
    scores = level_score(accuracy)
    assert (scores[0], scores[-1]) == (0.0, 1.0)
    loss = toy.curve("val.loss", np.linspace(8.0, 2.0, 50), unit="nats/token", chance=np.nan)
    assert level_score(loss)[-1] == pytest.approx(0.75)
    margin = toy.curve("a.margin", np.linspace(-1.0, 5.0, 50), unit="nats", chance=0.0)
    assert np.isnan(level_score(margin)).all()


def until(curves, tokens):
    """The run as it looked when `tokens` had been processed."""
    out = {}
    for name, curve in curves.items():
        keep = sum(step.tokens <= tokens for step in curve.steps)
        out[name] = type(curve)(
            curve.metric,
            curve.level,
            curve.unit,
            curve.chance,
            curve.steps[:keep],
            curve.values[:keep],
            curve.se[:keep],
        )
    return out


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (4.1, "unresolved"),
        (4.9, "memorization"),
        (5.6, "syntactic organization"),
        (6.1, "semantic crystallization"),
        (7.3, "refinement"),
    ],
)
def test_the_running_phase_follows_the_run(run, place, name):
    now = running_phase(until(run, 10**place), PRIMARY)
    assert now.name == name
    assert now.provisional
    assert now.why


def test_the_running_phase_is_cheap(run):
    running_phase(run, PRIMARY)
    best = min(_seconds(lambda: running_phase(run, PRIMARY)) for _ in range(20))
    assert best < 0.005


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
