"""Scores of choices, clozes and facts, against numbers worked out by hand."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from nucleate.core import DataError, Level
from nucleate.corpora.items import Choice, Cloze, MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.pararel import Fact
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.probes.behaviour.bits import BitsItems, bits_per_byte
from nucleate.probes.behaviour.choice import ChoiceItems, brier, choice_probe, conditions
from nucleate.probes.behaviour.cloze import ClozeItems, cloze_probe, log_odds
from nucleate.probes.behaviour.recall import (
    RecallItems,
    agreement,
    frequency_bins,
    rank,
    recall_probe,
)
from nucleate.probes.coherence.baselines import UniformView
from nucleate.probes.registry import get_probe

WORDS = "a b c d the cat dog sat on it is in x y".split()


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer(WORDS)


@dataclass
class Said:
    """Stands where the requests stand, with scores that the test decides."""

    log_prob: np.ndarray
    greedy: np.ndarray
    bytes: np.ndarray

    def score(self, _view):
        return self


def say(items, log_prob, greedy=(), size=()):
    items.requests = Said(np.array(log_prob, float), np.array(greedy, bool), np.array(size))
    return items


def measured(name, items):
    return {reading.metric: reading for reading in get_probe(name).measure(None, items)}


def options(*texts, gold=0, condition="", document=-1):
    return Choice(tuple(("the cat", f" {text}") for text in texts), gold, condition, document)


def test_accuracy_margin_acc_norm_and_brier_of_two_items(tokenizer):
    """acc_norm: -2/1 against -3/5 (five characters of "sat x"): the longer option is chosen."""
    items = ChoiceItems([options("a", "sat x", gold=1), options("b", "c")], tokenizer, name="set")
    found = measured("choice", say(items, [-2.0, -3.0, -1.0, -1.0]))
    assert found["set.accuracy"].items == (0.0, 0.5)  # the second item ties
    assert found["set.accuracy"].chance == 0.5
    assert found["set.margin"].items == pytest.approx((-1.0, 0.0))
    assert found["set.margin"].unit == "nats"
    assert found["set.acc_norm"].items == (1.0, 0.5)
    p = math.exp(-3) / (math.exp(-2) + math.exp(-3))
    assert found["set.brier"].items == pytest.approx((2 * (1 - p) ** 2, 0.5))
    assert found["set.brier"].chance == 0.5


def test_margin_of_four_options_is_against_all_others_together(tokenizer):
    items = ChoiceItems([options("a", "b", "c", "d", gold=2)], tokenizer, name="set")
    found = measured("choice", say(items, np.log([0.1, 0.2, 0.4, 0.3])))
    assert found["set.margin"].value == pytest.approx(math.log(0.4 / 0.6))
    assert found["set.margin"].chance == pytest.approx(-math.log(3))
    assert found["set.brier"].value == pytest.approx(0.1**2 + 0.2**2 + 0.6**2 + 0.3**2)
    assert found["set.brier"].chance == 0.75


def test_knowing_nothing_scores_chance():
    assert brier(np.zeros(4)) == pytest.approx(0.75)
    assert brier(np.array([0.0, -900.0])) == pytest.approx(0.0)


def test_groups_are_conditions_and_all_or_what_was_asked(tokenizer):
    three = [options("a", "b", condition=name) for name in ("x", "y", "x")]
    items = ChoiceItems(three, tokenizer, name="set", normalise=False)
    found = measured("choice", say(items, [-1.0, -2.0, -2.0, -1.0, -1.0, -2.0]))
    assert {metric: reading.n for metric, reading in found.items() if "accuracy" in metric} == {
        "set.x.accuracy": 2,
        "set.y.accuracy": 1,
        "set.all.accuracy": 3,
    }
    assert found["set.all.accuracy"].value == pytest.approx(2 / 3)
    split = ChoiceItems(three, tokenizer, name="set", groups={"some": [1, 2], "none": []})
    assert set(measured("choice", say(split, [-1.0, -2.0] * 3))) == {
        f"set.some.{measure}" for measure in ("accuracy", "margin", "acc_norm", "brier")
    }


def test_conditions_without_a_name_are_called_other():
    assert conditions(["", ""]) == {"": [0, 1]}
    assert conditions(["", "x"]) == {"x": [1], "other": [0], "all": [0, 1]}


def test_minimal_pairs_and_clusters(tokenizer):
    """Two twins that agree are one document: G/(G-1) is 2/1, the error that of their sum."""
    pairs = [MinimalPair("the cat sat", "the dog sat", document=1)] * 2
    items = ChoiceItems([*pairs, MinimalPair("a", "b", document=2)], tokenizer, name="p")
    found = measured("choice", say(items, [-1.0, -2.0, -1.0, -2.0, -2.0, -1.0]))
    reading = found["p.accuracy"]
    assert reading.value == pytest.approx(2 / 3)
    residual = 2 / 3  # of either document: two times 1/3, and minus 2/3
    assert reading.se == pytest.approx(math.sqrt(2 * residual**2 * 2) / 3)


def test_a_set_lends_its_name_and_level(tokenizer):
    given = ItemSet("arc", Level.KNOWLEDGE, "s", "l", (options("a", "b"),))
    items = ChoiceItems.of(given, tokenizer)
    probe = choice_probe(items)
    assert (probe.name, probe.level, probe.cost(items)) == ("arc", Level.KNOWLEDGE, items.cost)
    assert items.cost > 0
    found = {r.metric: r.level for r in probe.measure(UniformView(15), items)}
    assert set(found.values()) == {Level.KNOWLEDGE}
    with pytest.raises(DataError, match=r"ChoiceItems\(choice\): no items"):
        ChoiceItems([], tokenizer)


def test_a_diverged_model_has_no_answer(tokenizer):
    items = say(ChoiceItems([options("a", "b")], tokenizer, name="set"), [math.nan] * 2)
    assert all(math.isnan(reading.value) for reading in measured("choice", items).values())


def test_a_uniform_reader_takes_the_shortest(tokenizer):
    items = ChoiceItems([options("a b c", "d"), options("a", "b c")], tokenizer, name="set")
    found = {r.metric: r for r in get_probe("choice").measure(UniformView(10), items)}
    assert found["set.accuracy"].items == (0.0, 1.0)
    assert found["set.margin"].items == pytest.approx((-2 * math.log(10), math.log(10)))


def clozes():
    return [Cloze("the cat", " sat"), Cloze("the dog", " sat on"), Cloze("a", " b")]


def test_cloze_accuracy_log_prob_odds_and_perplexity(tokenizer):
    """lm-eval's LAMBADA: greedy hits, and exp of the mean negative log-probability."""
    items = ClozeItems(clozes(), tokenizer, name="lambada")
    p = [0.5, 0.25, 0.125]
    found = measured("cloze", say(items, np.log(p), [True, False, False]))
    assert found["lambada.accuracy"].value == pytest.approx(1 / 3)
    assert found["lambada.log_prob"].items == pytest.approx(np.log(p))
    assert found["lambada.margin"].items == pytest.approx([0.0, math.log(1 / 3), math.log(1 / 7)])
    reading = found["lambada.perplexity"]
    assert reading.value == pytest.approx(4.0)  # geometric mean of 2, 4, 8
    assert reading.se == pytest.approx(4.0 * math.log(2) / math.sqrt(3))
    assert "lambada.perplexity" not in measured(
        "cloze",
        say(
            ClozeItems(clozes(), tokenizer, name="lambada", perplexity=False), np.log(p), [1, 0, 0]
        ),
    )


def test_cloze_of_a_set_and_without_items(tokenizer):
    given = ItemSet("qa", Level.KNOWLEDGE, "s", "l", tuple(clozes()))
    items = ClozeItems.of(given, tokenizer)
    probe = cloze_probe(items)
    assert (probe.name, probe.level, probe.cost(items)) == ("qa", Level.KNOWLEDGE, items.cost)
    found = {r.metric: r for r in probe.measure(UniformView(8), items)}
    assert found["qa.log_prob"].items == pytest.approx([-math.log(8) * n for n in (1, 2, 1)])
    assert found["qa.accuracy"].value == 0.0
    with pytest.raises(DataError, match="no items"):
        ClozeItems([], tokenizer)


def test_log_odds_of_certainty_are_large_and_finite():
    assert log_odds(np.array([0.0]))[0] == pytest.approx(27.6, abs=0.1)
    assert log_odds(np.array([-50.0]))[0] == pytest.approx(-50.0)
    assert np.isnan(log_odds(np.array([math.nan]))).all()


FACT = Fact("P1", "cat", ("a", "b", "c"), ("the cat is", "cat is in"), ("the it is", "it is in"))


def test_recall_takes_the_prior_of_the_prompt_away(tokenizer):
    """The model prefers b after the subject, but less than it prefers b anyway."""
    items = RecallItems([FACT], tokenizer, name="facts")
    told, bare = [[-2.0, -1.0, -4.0], [-1.0, -2.0, -4.0]], [[-3.0, -1.0, -4.0], [-1.0] * 3]
    found = measured("recall", say(items, np.ravel([told, bare])))
    assert found["facts.raw.accuracy"].value == 0.0
    assert found["facts.raw.rank"].value == 2.0
    assert found["facts.raw.rank"].chance == 2.0
    assert found["facts.recall.accuracy"].value == 1.0
    assert found["facts.recall.margin"].value == pytest.approx(1.0 - math.log(2))
    assert found["facts.recall.accuracy"].chance == pytest.approx(1 / 3)
    assert found["facts.phrasings.agreement"].value == 0.0
    assert found["facts.phrasings.all_right"].value == 0.0


def test_recall_by_frequency(tokenizer):
    facts = [Fact("P1", name, ("a", "b"), (f"{name} is",), ("it is",)) for name in "xy"]
    items = RecallItems(facts, tokenizer, name="facts", counts={"x": 7})
    assert items.bins == {"common": [0], "unseen": [1]}
    found = measured("recall", say(items, [-1.0, -2.0, -1.0, -1.0, -2.0, -1.0, -1.0, -1.0]))
    assert found["facts.common.accuracy"].value == 1.0
    assert found["facts.unseen.accuracy"].value == 0.0
    assert not [metric for metric in found if "phrasings" in metric]


def test_bins_are_cut_at_the_median_of_what_occurs():
    counts = {"a": 9, "b": 1, "c": 4}
    assert frequency_bins(["a", "b", "c", "d"], counts) == {
        "common": [0, 2],
        "rare": [1],
        "unseen": [3],
    }


def test_recall_end_to_end_asks_every_candidate_once(tokenizer):
    items = RecallItems([FACT, FACT], tokenizer, name="facts")
    assert len(items.requests) == 2 * 2 * 2 * 3
    probe = recall_probe(items)
    found = {r.metric: r for r in probe.measure(UniformView(9), items)}
    assert found["facts.recall.accuracy"].value == pytest.approx(1 / 3)
    assert found["facts.raw.rank"].value == 2.0
    with pytest.raises(DataError, match="no facts"):
        RecallItems([], tokenizer)


def test_rank_and_agreement():
    assert rank(np.array([-1.0, -2.0, -3.0])) == 1.0
    assert rank(np.array([-1.0, -1.0, 0.0])) == 2.5
    votes = np.array([[0.0, -1.0], [0.0, -1.0], [-1.0, 0.0]])
    assert agreement(votes) == pytest.approx(1 / 3)
    assert math.isnan(rank(np.array([math.nan, 0.0])))
    assert math.isnan(agreement(np.full((2, 2), math.nan)))


def test_bits_per_byte(tokenizer):
    """Three tokens at one in eight are nine bits; "a b c" has five bytes."""
    assert bits_per_byte(np.array([-3 * math.log(8)]), np.array([5]))[0] == pytest.approx(9 / 5)
    items = BitsItems({"en": ["a b c", "a"], "xx": ["d d"]}, tokenizer)
    found = {r.metric: r for r in get_probe("multilingual").measure(UniformView(8), items)}
    assert found["multilingual.en.bits_per_byte"].items == pytest.approx((9 / 5, 3.0))
    assert found["multilingual.xx.bits_per_byte"].value == pytest.approx(2.0)
    with pytest.raises(DataError, match="no texts"):
        BitsItems({}, tokenizer)
