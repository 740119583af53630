"""Probes of stories against numbers that follow from their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import DataError
from nucleate.corpora.items import Choice, ContextPair
from nucleate.corpora.narrative.boxes import BoxItem, box_items
from nucleate.corpora.narrative.needles import NeedleItem, needle_items
from nucleate.corpora.narrative.truth import TruthItem
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.probes.behaviour.boxes import OPERATIONS, BoxItems, horizon
from nucleate.probes.behaviour.endings import EndingItems
from nucleate.probes.behaviour.needles import NeedleItems
from nucleate.probes.behaviour.retention import PLAIN, RetentionItems, retention
from nucleate.probes.behaviour.truth import TruthItems
from nucleate.probes.coherence.baselines import UniformView
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView
from tests.unit.probes.models import tiny


@pytest.fixture(scope="module")
def tokenizer():
    return bpe_tokenizer(["the cat sat on the mat"] * 3, vocab_size=270)


class Says:
    """A view that gives log-probability `right` to texts that end in one of some words.

    The first asked token of a request carries it; the others have 0.
    """

    def __init__(self, tokenizer, favoured, right=0.0, wrong=-2.0):
        self._tokenizer, self._favoured = tokenizer, favoured
        self._right, self._wrong = right, wrong

    def answers(self, plan):
        out = np.zeros(int(plan.offsets[-1]))
        for query, offset in zip(plan.queries, plan.offsets[:-1].tolist(), strict=True):
            text = self._tokenizer.decode(list(query.ids))
            out[offset] = self._right if self._favoured(text) else self._wrong
        return out

    def greedy(self, plan):
        return np.zeros(int(plan.offsets[-1]), dtype=bool)


def measure(name, view, items):
    return {reading.metric: reading for reading in get_probe(name).measure(view, items)}


class TestBoxes:
    def test_the_horizon_of_a_line_is_where_it_has_fallen_to_half(self):
        distance = np.repeat(np.arange(12), 50)
        margin = 4.0 - 0.5 * distance + np.tile([0.1, -0.1], 300)
        # Means at the bins' mean distances lie on the line, so 2.0 is reached at distance 4.
        assert horizon(distance, margin, OPERATIONS) == pytest.approx(4.0)

    def test_no_horizon_without_a_beginning_and_a_bound_where_it_stays(self):
        distance = np.repeat(np.arange(12), 50)
        noise = np.tile([1.0, -1.0], 300)
        assert np.isnan(horizon(distance, noise, OPERATIONS))
        assert horizon(distance, 5 + noise, OPERATIONS) == distance[distance >= 8].mean()

    def test_options_and_foils_are_the_items_own(self, tokenizer):
        item = BoxItem("Box 1 has the", ("pen", "cup", "hat"), 1, 2, 3, 12)
        items = BoxItems([item] * 4, tokenizer)
        found = measure("boxes", Says(tokenizer, lambda text: text.endswith("cup")), items)
        assert found["boxes.all.accuracy"].value == 0
        assert found["boxes.last.margin"].value == -2
        assert found["boxes.initial.margin"].value == 0
        assert found["boxes.op2_3.accuracy"].n == found["boxes.word1_20.accuracy"].n == 4

    def test_a_reader_of_last_mentions_is_right_where_they_are(self, tokenizer):
        made = box_items(48, boxes=3, operations=4)
        last = {item.context: item.options[item.last] for item in made}
        view = Says(
            tokenizer,
            lambda text: any(text.endswith(f"{c} {thing}") for c, thing in last.items()),
        )
        found = measure("boxes", view, BoxItems(made, tokenizer))
        assert found["boxes.all.accuracy"].value == 0.5
        assert found["boxes.last.accuracy"].value == 0


class TestEndings:
    def test_the_gain_takes_the_endings_own_probability_away(self, tokenizer):
        choice = Choice((("A cat.", " It sat."), ("A cat.", " It ran off.")), 0)
        items = EndingItems([choice] * 2, tokenizer)
        # Likely anywhere: "ran"; the story raises neither of them.
        found = measure("endings", Says(tokenizer, lambda text: "ran" in text), items)
        assert found["endings.accuracy"].value == 0
        assert found["endings.gain.accuracy"].value == 0.5
        assert items.cost > items.requests.cost


class TestNeedles:
    def test_effective_length_ends_at_the_first_failure(self, tokenizer):
        def item(length, turn):
            sides = tuple((f"{length} {turn} x", f" {word}.") for word in ("a", "b", "c", "d"))
            return NeedleItem(Choice(sides, 0, "single"), length, 0.0)

        made = [item(length, turn) for length in (64, 128, 256) for turn in range(10)]
        items = NeedleItems(made, tokenizer)
        view = Says(
            tokenizer,
            lambda text: text.endswith("a.") if text[:3] != "128" else text.endswith("b."),
        )
        found = measure("needle", view, items)
        assert found["needle.single.effective_length"].value == 64
        assert found["needle.single.t256.accuracy"].value == 1
        assert found["needle.t128.depth0.accuracy"].value == 0

    def test_guessing_is_at_chance_and_finds_nothing(self, tokenizer):
        filler = [f"The {n} wind blew over the hills." for n in range(60)]
        made = needle_items(filler, lengths=(100,), each=5, tokens=len)
        assert {item.choice.condition for item in made} <= {"single"}  # the others need more room
        made = needle_items(filler, lengths=(600,), each=5, tokens=len)
        items = NeedleItems(made, tokenizer)
        found = measure("needle", Says(tokenizer, lambda text: True), items)
        assert found["needle.keys.accuracy"].value == found["needle.keys.accuracy"].chance == 0.25
        assert found["needle.keys.effective_length"].value == 0


class TestTruth:
    ITEMS = (TruthItem("the sky is blue", "the sky is red", "blue", "red", "simple"),)

    def readings(self, tokenizer, table):
        """The four cells have the log-probabilities of a table (context, answer)."""

        class View(Says):
            def answers(self, plan):
                out = np.zeros(int(plan.offsets[-1]))
                for query, start in zip(plan.queries, plan.offsets[:-1].tolist(), strict=True):
                    words = self._tokenizer.decode(list(query.ids)).strip(".").split()
                    out[start] = table[words[-2], words[-1]]
                return out

        items = TruthItems(self.ITEMS * 3, tokenizer)
        return measure("truth", View(tokenizer, None), items)

    def test_effects_are_the_contrasts_of_the_four_cells(self, tokenizer):
        table = {("blue", "blue"): -1, ("blue", "red"): -5, ("red", "blue"): -4, ("red", "red"): -2}
        found = self.readings(tokenizer, table)
        assert found["truth.simple.coherence.margin"].value == (-1 - 2 + 5 + 4) / 2
        assert found["truth.simple.world.margin"].value == (-1 - 4 + 5 + 2) / 2
        assert found["truth.simple.interaction.log_prob"].value == (-1 - 5 + 4 + 2) / 2
        assert found["truth.simple.after_false.margin"].value == 2
        assert found["truth.simple.cell.coherent_false.log_prob"].value == -2
        assert found["truth.simple.cell.incoherent_true.log_prob"].value == -4

    def test_a_copier_is_coherent_and_knows_nothing(self, tokenizer):
        table = {(c, a): 0.0 if c == a else -6.0 for c in ("blue", "red") for a in ("blue", "red")}
        found = self.readings(tokenizer, table)
        assert found["truth.simple.coherence.accuracy"].value == 1
        assert found["truth.simple.world.accuracy"].value == 0.5


class TestRetention:
    CLUSTERS = np.arange(400)

    def test_half_of_what_was_above_chance(self):
        plain = (np.arange(400) < 360).astype(float)  # .9
        perturbed = (np.arange(400) < 280).astype(float)  # .7
        value, se = retention(perturbed, plain, self.CLUSTERS)
        assert value == pytest.approx(0.5)
        assert 0 < se < 0.2

    def test_it_is_undefined_near_chance(self):
        plain = (np.arange(400) < 220).astype(float)  # .55 = chance + 2 SE
        assert np.isnan(retention(plain, plain, self.CLUSTERS)[0])

    def test_unchanged_pairs_are_kept_whole_and_the_worst_counts_all(self, tokenizer):
        pairs = [ContextPair(f"{n} good", f"{n} bad", "end", "", n) for n in range(40)]
        versions = {PLAIN: pairs, "same": pairs, "turned": [
            ContextPair(p.corrupted, p.coherent, p.region, "", p.document) for p in pairs
        ]}  # fmt: skip
        items = RetentionItems(versions, tokenizer, strengths={"same": 0.1, "turned": 0.2})
        found = measure("robustness", Says(tokenizer, lambda text: "good" in text), items)
        assert found["robustness.plain.accuracy"].value == 1
        assert found["robustness.same.retention"].value == 1
        assert found["robustness.turned.retention"].value == -1
        assert found["robustness.worst.accuracy"].value == 0
        assert found["robustness.strength.area"].value == pytest.approx((1 + 0) / 2)

    def test_versions_must_match(self, tokenizer):
        pairs = [ContextPair("a", "b", "c")]
        with pytest.raises(DataError, match="versions do not match"):
            RetentionItems({PLAIN: pairs, "two": pairs * 2}, tokenizer)


def test_all_of_them_answer_to_a_real_model_and_a_diverged_one(tokenizer):
    model = tiny(vocabulary=len(tokenizer))
    made = box_items(6, boxes=3, operations=4)
    items = BoxItems(made, tokenizer, context=128)
    found = measure("boxes", ModelView(model), items)
    assert np.isfinite(found["boxes.all.margin"].value)
    nan = measure("boxes", Says(tokenizer, lambda text: True, right=float("nan")), items)
    assert np.isnan(nan["boxes.all.accuracy"].value)
    uniform = measure("truth", UniformView(270), TruthItems(TestTruth.ITEMS, tokenizer))
    assert np.isfinite(uniform["truth.simple.world.margin"].value)
