"""The story world asks what it claims to ask: an understanding reader is right, n-grams are not."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from nucleate.corpora.items import Passage, Slot
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.storyworld import (
    Mixture,
    Split,
    StoryShards,
    make_items,
    make_world,
    split_of,
    tell,
    training_stories,
    vocabulary,
)
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.storyworld.oracle import choose, sentences
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.behaviour.slots import SlotItems
from nucleate.probes.registry import get_probe
from tests.science.readers import Oracle, Shallow, first_mention, last_mention, mentions

WORLD, MIXTURE = make_world(0), Mixture()
TOKENIZER = word_tokenizer(vocabulary(WORLD.towns))
PROBE_SPLITS = (Split.CONTROL, Split.DEVELOPMENT, Split.SEALED)
STORIES = 300


@pytest.fixture(scope="module")
def items():
    return {split: make_items(WORLD, MIXTURE, split, stories=STORIES) for split in Split}


@pytest.fixture(scope="module")
def training():
    return [text.split() for text in training_stories(WORLD, MIXTURE, seed=11, count=2500)]


@pytest.fixture(scope="module")
def trigram():
    shards = StoryShards(WORLD, MIXTURE, TOKENIZER.get_vocab(), TOKENIZER.eos_token_id, seed=7)
    tokens = np.concatenate([shards.shard(index) for index in range(20)])
    return NgramView(NgramModel(tokens, len(TOKENIZER)))


def parts(made):
    """What the suite of the story world asks, by the names of its probes."""
    plots = SlotItems(made.plots, TOKENIZER, ("cause", "song"))
    states = SlotItems(made.states, TOKENIZER, ("where", "holder", "ending"))
    return {
        "agreement": SlotItems(made.agreement, TOKENIZER),
        "cause": plots,
        "refrain": plots,
        "state": states,
        "ending": states,
        "fact": SlotItems(made.facts, TOKENIZER),
        "coherence": PairItems((*made.order, *made.contradiction), TOKENIZER),
    }


def measure(view, made, *names):
    return {
        reading.metric: reading
        for name, asked in parts(made).items()
        if name in names or not names
        for reading in get_probe(name).measure(view, asked)
    }


@pytest.fixture(scope="module")
def baseline(items, trigram):
    """What the trigram model scores on each probe set.

    Entity states are pooled over four draws of the items: a trigram prefers the same places
    everywhere, and by luck one draw of 400 items may suit it.
    """
    found = {split: measure(trigram, items[split]) for split in PROBE_SPLITS}
    for split in PROBE_SPLITS:
        draws = [make_items(WORLD, MIXTURE, split, stories=STORIES, seed=s) for s in (1, 2, 3)]
        states = tuple(p for made in (items[split], *draws) for p in made.states)
        found[split] |= measure(trigram, replace(items[split], states=states), "state")
    return found


def passages(made):
    return (*made.plots, *made.states, *made.agreement, *made.facts)


class TestOracle:
    @pytest.mark.parametrize("split", Split)
    def test_every_kind_and_condition_is_answered_from_the_text(self, items, split):
        rng = random.Random(1)
        told = [tell(rng, WORLD, MIXTURE, split) for _ in range(STORIES)]
        right = defaultdict(list)
        for passage in (*passages(items[split]), *told):
            for slot in passage.slots:
                chosen = choose(passage.words, slot, WORLD)
                right[slot.kind, slot.condition].append(chosen == slot.answer)
                assert passage.words[slot.index] == slot.answer
                assert slot.answer not in slot.foils
        kinds = {kind for kind, _ in right}
        assert kinds == {"where", "holder", "agreement", "cause", "fact", "song", "ending"}
        assert len(right) == 2 + 2 + 5 + 1 + 6 + 1 + 1
        assert all(np.mean(hits) >= 0.99 and len(hits) >= 20 for hits in right.values())

    @pytest.mark.parametrize("split", Split)
    def test_pairs_contradict_in_the_corrupted_context_only(self, items, split):
        for kind, pairs in (("where", items[split].order), ("holder", items[split].contradiction)):
            for pair in pairs:
                answer, stop = pair.region.split()
                assert stop == "."
                told = []
                for context in (pair.coherent, pair.corrupted):
                    words = context.split()
                    told.append(choose(words, Slot(kind, len(words), answer, ()), WORLD))
                assert told[0] == answer
                assert told[1] != answer
                assert Counter(pair.coherent.split()) == Counter(pair.corrupted.split())

    @pytest.mark.parametrize("split", PROBE_SPLITS)
    def test_through_the_real_probes_it_is_at_the_ceiling(self, items, split):
        found = measure(Oracle(WORLD, TOKENIZER), items[split])
        accuracies = {m: r.value for m, r in found.items() if m.endswith("accuracy")}
        assert len(accuracies) == 5 + 1 + 1 + 9 + 1 + 3 + 2
        assert min(accuracies.values()) >= 0.99
        assert found["coherence.order.margin"].value == pytest.approx(10)
        assert found["coherence.contradiction.margin"].value == pytest.approx(10)

    def test_with_answers_drawn_by_lot_it_is_at_chance(self, items):
        rng = random.Random(2)

        def redraw(slot):
            options = sorted((slot.answer, *slot.foils))
            answer = rng.choice(options)
            return replace(slot, answer=answer, foils=tuple(o for o in options if o != answer))

        made = items[Split.CONTROL]
        drawn = {
            name: tuple(
                Passage(p.words, tuple(redraw(slot) for slot in p.slots))
                for p in getattr(made, name)
            )
            for name in ("plots", "states", "agreement", "facts")
        }
        found = measure(Oracle(WORLD, TOKENIZER), replace(made, **drawn))
        for stem in (
            "state.where",
            "state.holder",
            "agreement.attractor",
            "cause.all",
            "refrain.all",
            "fact.rare",
            "fact.middle",
        ):
            assert_at_chance(found[f"{stem}.accuracy"])


def assert_at_chance(reading):
    assert reading.n >= 30
    # Few hits make the standard error from the items too small; that of a guess is known.
    guessing = (reading.chance * (1 - reading.chance) / reading.n) ** 0.5
    error = max(reading.se, guessing if reading.unit == "fraction" else 0.0)
    assert abs(reading.value - reading.chance) <= 3 * error + 1e-12, reading.metric


class TestNgrams:
    @pytest.mark.parametrize("split", PROBE_SPLITS)
    @pytest.mark.parametrize(
        "metric", ["state.where", "state.holder", "coherence.order", "coherence.contradiction"]
    )
    def test_they_are_at_chance_on_narrative(self, baseline, split, metric):
        assert_at_chance(baseline[split][f"{metric}.accuracy"])

    @pytest.mark.parametrize("split", PROBE_SPLITS)
    def test_they_are_at_chance_on_refrains(self, baseline, split):
        assert_at_chance(baseline[split]["refrain.all.accuracy"])

    def test_on_agreement_they_follow_the_nearest_noun(self, baseline):
        found = baseline[Split.CONTROL]
        assert found["agreement.simple.accuracy"].value > 0.75
        assert found["agreement.matched.accuracy"].value > 0.75
        assert found["agreement.attractor.accuracy"].value < 0.25

    def test_pairs_have_the_same_last_words_so_margins_are_exactly_nought(self, baseline):
        assert set(baseline[Split.SEALED]["coherence.order.margin"].items) == {0.0}


class TestShallowReaders:
    """One feature of the names and places so far must not answer questions of entity state."""

    @pytest.mark.parametrize("split", PROBE_SPLITS)
    def test_the_last_mention_earns_exactly_one_half(self, items, split):
        found = measure(Shallow(TOKENIZER, last_mention), items[split], "state")
        for kind in ("where", "holder"):
            assert found[f"state.{kind}_near.accuracy"].value == 1
            assert found[f"state.{kind}_far.accuracy"].value == 0
            assert found[f"state.{kind}.accuracy"].value == 0.5

    @pytest.mark.parametrize("kind", ["where", "holder"])
    def test_the_first_mention_is_at_chance(self, items, kind):
        found = measure(Shallow(TOKENIZER, first_mention), items[Split.CONTROL], "state")
        assert_at_chance(found[f"state.{kind}.accuracy"])

    @pytest.mark.parametrize("kind", ["where", "holder"])
    def test_counting_mentions_is_at_chance(self, items, kind):
        found = measure(Shallow(TOKENIZER, mentions), items[Split.CONTROL], "state")
        assert_at_chance(found[f"state.{kind}.accuracy"])

    @pytest.mark.parametrize("feature", [last_mention, first_mention, mentions])
    def test_no_feature_tells_a_contradiction(self, items, feature):
        found = measure(Shallow(TOKENIZER, feature), items[Split.CONTROL], "coherence")
        assert_at_chance(found["coherence.contradiction.accuracy"])

    def test_recency_alone_does_not_tell_an_order(self, items):
        found = measure(Shallow(TOKENIZER, last_mention), items[Split.CONTROL], "coherence")
        assert_at_chance(found["coherence.order.accuracy"])


SEALED_FRAMES = {
    "where": r"\bis now in the\b",
    "holder": r"\bis now with\b",
    "flag": r"\bin \w+ the flag is\b",
    "goods": r"\bin \w+ the people sell\b",
    "attractor": rf"\b(?:{'|'.join(lx.PREPOSITIONS)}) the (?:{'|'.join(lx.ADJECTIVES)})\b",
    "cause": rf"\b(?:{'|'.join(state for _, state in lx.CAUSES)}) by evening\b",
}


class TestSplits:
    @pytest.mark.parametrize("frame", SEALED_FRAMES)
    def test_the_frames_of_the_sealed_set_never_occur_in_training(self, items, training, frame):
        pattern = re.compile(SEALED_FRAMES[frame])
        sealed = [" ".join(passage.words) for passage in passages(items[Split.SEALED])]
        assert any(pattern.search(text) for text in sealed)
        assert not any(pattern.search(" ".join(words)) for words in training)
        for split in (Split.CONTROL, Split.DEVELOPMENT):
            own = [" ".join(passage.words) for passage in passages(items[split])]
            assert not any(pattern.search(text) for text in own)

    def test_casts_belong_to_their_split(self, items, training):
        def cast(words):
            opening = re.match(r"(?:\w+ was in the \w+ \. )+", " ".join(words))
            return re.findall(r"(\w+) was in the", opening.group())

        def pairs(words):
            return {split_of(*pair) for pair in combinations(cast(words), 2)}

        assert all(pairs(words) == {Split.TRAIN} for words in training)
        for split in PROBE_SPLITS:
            for passage in passages(items[split]):
                assert split in pairs(passage.words) <= {split, Split.TRAIN}

    def test_subject_attractor_and_verb_belong_to_their_split(self, items, training):
        singular = {form: pair[0] for pair in (*lx.NOUNS, *lx.VERBS) for form in pair}
        nouns = {form for pair in lx.NOUNS for form in pair}
        verbs = {form for pair in lx.VERBS for form in pair}

        def triples(words):
            for line in sentences(words):
                told = [word for word in line if word in nouns]
                if len(told) == 2 and line[-1] in verbs:
                    yield tuple(singular[word] for word in (*told, line[-1]))

        seen = Counter(triple for words in training for triple in triples(words))
        assert sum(seen.values()) > 1000
        assert {split_of(*triple) for triple in seen} == {Split.TRAIN}
        for split in PROBE_SPLITS:
            asked = {t for passage in items[split].agreement for t in triples(passage.words)}
            assert len(asked) > 100
            assert {split_of(*triple) for triple in asked} == {split}

    def test_long_stretches_of_sealed_stories_are_new(self, items, training):
        """No story of the sealed set holds thirty words in a row that training told."""
        size = 30
        told = {tuple(w[i : i + size]) for w in training for i in range(len(w) - size + 1)}
        for passage in passages(items[Split.SEALED]):
            words = passage.words
            assert not any(words[i : i + size] in told for i in range(len(words) - size + 1))


class TestText:
    def test_equal_seeds_tell_equal_stories_and_others_others(self):
        one, same, other = (training_stories(WORLD, MIXTURE, seed, 50) for seed in (3, 3, 4))
        assert one == same
        assert not set(one) & set(other)
        assert make_items(WORLD, MIXTURE, Split.SEALED, seed=5, stories=20) == make_items(
            WORLD, MIXTURE, Split.SEALED, seed=5, stories=20
        )
        assert make_items(WORLD, MIXTURE, Split.SEALED, stories=20) != make_items(
            WORLD, MIXTURE, Split.SEALED, seed=5, stories=20
        )
        assert make_world(1) == make_world(1) != make_world(2)

    def test_shards_are_functions_of_seed_and_index(self):
        ids, eos = TOKENIZER.get_vocab(), TOKENIZER.eos_token_id
        one, same, other = (StoryShards(WORLD, MIXTURE, ids, eos, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.shard(3), same.shard(3))
        assert not np.array_equal(one.shard(3), one.shard(4))
        assert not np.array_equal(one.shard(3), other.shard(3))
        assert (one.shard(0) == eos).sum() == 256

    def test_every_word_is_known_once_and_every_word_is_used(self, items, training):
        words = vocabulary(WORLD.towns)
        assert len(words) == len(set(words))
        told = {word for line in training for word in line}
        for made in items.values():
            told |= {word for passage in passages(made) for word in passage.words}
            for pair in (*made.order, *made.contradiction):
                told |= set(f"{pair.coherent} {pair.corrupted} {pair.region}".split())
        assert told <= set(words)

    def test_rare_facts_are_told_and_told_rarely(self, training):
        lines = [line for words in training for line in sentences(words) if "flag" in line]
        flags = Counter(line[3] for line in lines)
        by_rank = [flags[town] for town in WORLD.towns]
        assert sum(by_rank[:8]) > 3 * sum(by_rank[32:])
        assert sum(count > 0 for count in by_rank) >= 60
