"""Composite scores, reliability and validity against published and closed-form numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from nucleate.core import DataError, Level
from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.boxes import box_items
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.probes.behaviour.boxes import BoxItems
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.scores.choices import BoxPairs, PairChoices
from nucleate.probes.scores.composite import Composite, Kind, score_of, score_readings
from nucleate.probes.scores.reliability import retest, spearman_brown, split_half
from nucleate.probes.scores.text import TextItems
from nucleate.probes.scores.validity import (
    area_under_curve,
    partial_spearman,
    read_ratings,
    spearman,
)
from tests.unit.probes.test_narrative_probes import Says


class Given:
    """Choices with given log-probabilities, one document each."""

    def __init__(self, options, clusters=None):
        self._options = [np.asarray(row, dtype=float) for row in options]
        self.clusters = np.array(clusters if clusters is not None else -1 - np.arange(len(options)))

    def options(self, view):
        return self._options


RIGHT, WRONG = (0.0, -30.0), (-30.0, 0.0)


class TestComposite:
    def test_groups_weigh_the_same_however_many_kinds_and_items_they_have(self):
        kinds = [
            Kind("a", "one", Given([RIGHT] * 10)),
            Kind("b", "two", Given([WRONG] * 3)),
            Kind("c", "two", Given([RIGHT] * 40)),
        ]
        composite = Composite("s", Level.NARRATIVE, kinds)
        found = {reading.metric: reading for reading in score_readings(composite, None)}
        # one: +1; two: mean of -1 and +1
        assert found["s.accuracy"].value == pytest.approx(0.5)
        assert found["s.score"].value == pytest.approx(50)
        assert found["s.one.part"].value == pytest.approx(100)
        assert found["s.two.part"].value == pytest.approx(0)
        assert found["s.margin"].value == pytest.approx(0.5, abs=1e-9)

    def test_knowing_nothing_is_0_and_all_right_is_100_whatever_the_options(self):
        blind = [Given([[0.0] * k] * 5) for k in (2, 4, 6)]
        kinds = [Kind(str(n), str(n), given) for n, given in enumerate(blind)]
        for reading in score_readings(Composite("s", Level.NARRATIVE, kinds), None):
            assert reading.value == pytest.approx(0, abs=1e-12)
        sure = [Kind("k", "k", Given([[0.0, -40, -40, -40]] * 5))]
        assert score_readings(Composite("s", Level.NARRATIVE, sure), None)[0].value == 100

    def test_below_chance_is_cut_in_the_score_only(self):
        kinds = [Kind("a", "a", Given([WRONG] * 8))]
        found = score_readings(Composite("s", Level.NARRATIVE, kinds), None)
        assert (found[0].value, found[1].value) == (0, -1)

    def test_the_error_of_independent_items_is_that_of_their_mean(self):
        rng = np.random.default_rng(0)
        rows = [RIGHT if hit else WRONG for hit in rng.random(400) < 0.7]
        composite = Composite("s", Level.NARRATIVE, [Kind("a", "a", Given(rows))])
        found = composite.outcomes(None)
        value, se = score_of(found, found.hits)
        assert value == pytest.approx(found.hits.mean())
        assert se == pytest.approx(found.hits.std(ddof=1) / 20, rel=1e-3)

    def test_documents_are_shared_between_kinds(self):
        shared = [Kind(n, n, Given([RIGHT, WRONG], clusters=[5, 6])) for n in ("a", "b")]
        composite = Composite("s", Level.NARRATIVE, shared)
        assert composite.outcomes(None).clusters.tolist() == [0, 1, 0, 1]

    def test_a_kind_without_items_is_refused(self):
        with pytest.raises(DataError, match="kind without items"):
            Composite("s", Level.NARRATIVE, [Kind("a", "a", Given([]))])


class TestChoices:
    def test_pairs_and_boxes_as_choices(self):
        tokenizer = bpe_tokenizer(["the cat sat on the mat"] * 3, vocab_size=270)
        pairs = [ContextPair(f"{n} good", f"{n} bad", "end", "k", n) for n in range(4)]
        items = PairItems(pairs, tokenizer)
        view = Says(tokenizer, lambda text: "good" in text)
        assert [row.tolist() for row in PairChoices(items, (1, 3)).options(view)] == [[2, 0]] * 2
        made = box_items(40, boxes=3, operations=4)
        boxes = BoxItems(made, tokenizer)
        last = {item.context: item.options[item.last] for item in made}
        reader = Says(
            tokenizer, lambda t: any(t.endswith(f"{c} {thing}") for c, thing in last.items())
        )
        kinds = [Kind(str(near), "boxes", BoxPairs(boxes, near)) for near in (True, False)]
        composite = Composite("s", Level.NARRATIVE, kinds)
        found = composite.outcomes(reader)
        assert composite.by_group(found, found.hits) == {"boxes": pytest.approx(0, abs=1e-12)}


class TestReliability:
    def test_spearman_brown_doubles_the_length(self):
        assert spearman_brown(0.5) == pytest.approx(2 / 3)
        assert spearman_brown(1) == 1

    def test_the_intraclass_correlation_of_shrout_and_fleiss(self):
        """Their table 2: ICC(2,1) = .29."""
        table = [
            [9, 2, 5, 8],
            [6, 1, 3, 2],
            [8, 4, 6, 8],
            [7, 1, 2, 6],
            [10, 5, 6, 9],
            [6, 2, 4, 7],
        ]
        found = retest(table)
        assert found.coefficient == pytest.approx(0.2898, abs=5e-4)
        assert found.error == pytest.approx(np.sqrt(np.var(table, axis=1, ddof=1).mean()))

    def test_halves_of_a_known_truth(self):
        """Models of true score t_m and items of error variance 4 t (1 - t) each."""
        rng, items = np.random.default_rng(1), 600
        truth = np.linspace(0.5, 0.9, 12)
        found = []
        for t in truth:
            rows = [RIGHT if hit else WRONG for hit in rng.random(items) < t]
            kind = Kind("a", "a", Given(rows, clusters=range(items)))
            found.append(Composite("s", Level.NARRATIVE, [kind]).outcomes(None))
        reliability, own = split_half(found, splits=60)
        errors = 100 * 2 * np.sqrt(truth * (1 - truth) / items)
        np.testing.assert_allclose(own, errors, rtol=0.25)
        expected = (200 * truth).var(ddof=1)
        expected /= expected + (errors**2).mean()
        assert reliability.coefficient == pytest.approx(expected, abs=0.02)
        assert np.isnan(split_half(found[:2], splits=5)[0].coefficient)


class TestValidity:
    def test_ranks_as_scipy_correlates_them(self):
        rng = np.random.default_rng(2)
        x = rng.normal(size=120)
        y = np.round(x + rng.normal(size=120))  # with ties
        found = spearman(np.append(x, np.nan), np.append(y, 3), draws=300)
        assert found.rho == pytest.approx(spearmanr(x, y).statistic)
        assert found.lo < found.rho < found.hi
        assert found.n == 120
        assert found.hi - found.lo < 0.4

    def test_what_a_third_quantity_explains_is_taken_out(self):
        rng = np.random.default_rng(3)
        third = rng.normal(size=4000)
        x, y = third + rng.normal(size=4000), third + rng.normal(size=4000)
        assert spearman(x, y, draws=20).rho > 0.4
        assert abs(partial_spearman(x, y, third, draws=20).rho) < 0.06

    def test_area_under_the_curve(self):
        assert area_under_curve([1, 2, 3, 4], [0, 0, 1, 1]) == 1
        assert area_under_curve([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5
        assert area_under_curve([3, 1, 2], [1, 0, 1]) == 1
        assert np.isnan(area_under_curve([1, 2], [1, 1]))

    def test_ratings_are_read_with_their_reasons(self):
        row = {
            "sentences": ["One.", "Two.\n", "Three."],
            "holistic_score": 2,
            "holistic_annot": {"a": 2.0, "b": 3.0},
            "reasons": {"a": {"1": [2]}, "b": {"1": [5], "2": [1]}},
        }
        (text,) = read_ratings([row, {**row, "sentences": ["Alone."]}])
        assert text.sentences == ("One.", "Two.", "Three.")
        assert (text.rating, text.raters, text.flagged) == (2.0, (2.0, 3.0), (0, 2, 1))


class TestTextScores:
    TOKENIZER = bpe_tokenizer(["the cat sat on the mat"] * 3, vocab_size=270)

    def test_gain_is_what_the_text_before_adds(self):
        """A sentence is likelier by 3 nats where "fox" stands before it."""

        decode = self.TOKENIZER.decode

        class View:
            def answers(self, plan):
                out = np.zeros(int(plan.offsets[-1]))
                for query, start in zip(plan.queries, plan.offsets[:-1].tolist(), strict=True):
                    before = decode(list(query.ids[: query.asks[0][0]]))
                    out[start] = -1.0 if "fox" in before else -4.0
                return out

            def greedy(self, plan):
                return np.zeros(int(plan.offsets[-1]), dtype=bool)

        items = TextItems([["A fox.", "It ran.", "It hid."]], self.TOKENIZER, context=64)
        found = items.score(View())
        tokens = [len(self.TOKENIZER.encode(f" {s}")) for s in ("It ran.", "It hid.")]
        np.testing.assert_allclose(found.gains[0], [3 / n for n in tokens])
        assert found.coherence[0] == pytest.approx(found.gains[0].mean())
        assert found.least[0] == pytest.approx(found.gains[0].min())
        assert found.order[0] > 0  # any other order puts a sentence before the fox
        first, second = found.halves()
        np.testing.assert_allclose([first[0], second[0]], found.gains[0])

    def test_a_sentence_longer_than_the_window_has_no_gain(self):
        long = "It ran " + "and ran " * 30
        items = TextItems([["A fox.", long, "It hid."]], self.TOKENIZER, context=32)
        found = items.score(Says(self.TOKENIZER, lambda text: True))
        assert np.isnan(found.gains[0][0])
        assert found.coherence[0] == found.gains[0][1]

    def test_one_sentence_is_no_text(self):
        with pytest.raises(DataError, match="fewer than two sentences"):
            TextItems([["Alone."]], self.TOKENIZER, context=32)
