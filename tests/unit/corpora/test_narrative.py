"""Items about stories: what is changed, what stays, and answers found by another way."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from nucleate.corpora.narrative.babi import babi_groups, babi_items
from nucleate.corpora.narrative.boxes import box_items, fitting_shape, heuristics
from nucleate.corpora.narrative.corruptions import make_corruptions, read_prose
from nucleate.corpora.narrative.endings import ending_choices, labelled_choices, story_cloze
from nucleate.corpora.narrative.far import far_pairs
from nucleate.corpora.narrative.grid import entity_grid, js_distance, transitions
from nucleate.corpora.narrative.needles import DEPTHS, needle_items
from nucleate.corpora.narrative.negation import deny
from nucleate.corpora.narrative.orders import published_orders
from nucleate.corpora.narrative.perturb import renamed, with_synonyms, with_typos
from nucleate.corpora.narrative.pronouns import flip_pronouns, gender_of
from nucleate.corpora.narrative.templates import template_pairs, wrong_answers
from nucleate.corpora.narrative.truth import SIMPLE, fact_truths, simple_truths
from nucleate.corpora.narrative.words import content_words
from nucleate.corpora.sets.pararel import Fact

LINES = (
    "{a} had a {thing} in the old {place}.",
    "She was very proud of the {thing} that day.",
    "A cold wind blew over the hills.",
    "{b} looked for the {place} all morning.",
    "In the evening {b} found {a} near the river.",
    "Then they carried the {thing} into the {place} again.",
    "She was tired but she did not sleep.",
    "The {place} was dark and quiet.",
    "Nobody heard the {thing} fall.",
    "Her hands were cold when she came home.",
)
PEOPLE = ("Lily", "Anna", "Mara", "Sue", "Emma", "Jane")


def tale(seed):
    rng = random.Random(seed)
    a, b = rng.sample(PEOPLE, 2)
    words = {
        "a": a,
        "b": b,
        "thing": rng.choice(["drum", "lamp", "kite", "coin"]),
        "place": rng.choice(["mill", "barn", "tower", "cellar"]),
    }
    lines = [line.format(**words) for line in rng.sample(LINES, len(LINES))]
    return " ".join(lines)


TALES = [tale(seed) for seed in range(60)] + [
    flip_pronouns(tale(seed)).replace("Lily", "Tom") for seed in range(60, 120)
]


@pytest.fixture(scope="module")
def made():
    return make_corruptions(TALES, each=24, longest=400)


class TestCorruptions:
    def test_every_kind_is_made_and_equal_seeds_make_equal_pairs(self, made):
        kinds = Counter(pair.condition for pair in made.contexts)
        assert set(kinds) >= {"order_swap", "cause_deletion", "contradiction", "pronoun_flip"}
        assert Counter(p.condition for p in made.orders) == dict.fromkeys(
            ("order1", "order2", "order4"), 24
        )
        assert made == make_corruptions(TALES, each=24, longest=400)
        assert made != make_corruptions(TALES, each=24, longest=400, seed=1)

    def test_the_coherent_side_is_the_text_itself(self, made):
        for pair in made.contexts:
            if pair.condition != "cause_deletion":
                assert f"{pair.coherent} {pair.region}" in TALES[pair.document]

    def test_a_deletion_takes_one_sentence_of_each_side_and_none_at_the_end(self, made):
        for pair in made.contexts:
            if pair.condition != "cause_deletion":
                continue
            one, other = pair.coherent.split(". "), pair.corrupted.split(". ")
            assert len(one) == len(other)
            assert one[-1] == other[-1]
            cause = (set(one) - set(other)).pop()
            assert content_words(cause) & content_words(pair.region)
            rest = content_words(pair.corrupted)
            assert content_words(cause) & content_words(pair.region) - rest

    def test_a_swap_of_sentences_keeps_them_all_and_the_last_in_place(self, made):
        for pair in made.contexts:
            if pair.condition == "order_swap":
                one, other = pair.coherent.split(". "), pair.corrupted.split(". ")
                assert one != other
                assert one[-1] == other[-1]
                assert sorted(one) == sorted(other)
                assert sum(a != b for a, b in zip(one, other, strict=True)) == 2

    def test_men_and_women_come_equally_often(self, made):
        flips = [p for p in made.contexts if p.condition == "pronoun_flip"]
        kinds = Counter(gender_of(pair.region) for pair in flips)
        assert kinds["he"] == kinds["she"] > 0
        for pair in flips:
            assert gender_of(pair.coherent) == gender_of(pair.region)
            assert gender_of(pair.corrupted) not in ("", gender_of(pair.region))

    def test_larger_blocks_keep_more_neighbours(self, made):
        def kept(pair):
            good, bad = pair.good.split(". "), pair.bad.split(". ")
            neighbours = {(a.strip("."), b.strip(".")) for a, b in pairwise(good)}
            found = [(a.strip("."), b.strip(".")) for a, b in pairwise(bad)]
            return np.mean([pair in neighbours for pair in found])

        means = [
            np.mean([kept(p) for p in made.orders if p.condition == f"order{size}"])
            for size in (1, 2, 4)
        ]
        assert means[0] < means[1] < means[2]

    def test_nothing_to_make_is_said(self):
        found = make_corruptions(["Too short."], each=8, longest=100)
        assert found.contexts == found.orders == ()
        assert len(found.notes) == 6


@pytest.mark.parametrize(
    ("sentence", "denied"),
    [
        ("The lake was cold.", "The lake was not cold."),
        ("The lake wasn't cold.", "The lake was cold."),
        ("Tom could not swim.", "Tom could swim."),
        ("Tom had a dog.", "Tom did not have a dog."),
        ("Tom had seen it.", None),
        ("Tom found the key.", "Tom did not find the key."),
        ("Nobody was there.", None),
        ("Was it cold?", None),
        ('Tom said, "It was cold."', None),
    ],
)
def test_denials(sentence, denied):
    assert deny(sentence) == denied


def test_flipping_twice_gives_the_text_back():
    text = "He took his hat. She saw him and her mother, and he was himself again."
    assert flip_pronouns(text) == (
        "She took her hat. He saw her and his mother, and she was herself again."
    )
    assert flip_pronouns(flip_pronouns(text)) == text


class TestBoxes:
    ITEMS = box_items(240)

    @pytest.mark.parametrize("item", ITEMS[:60], ids=range(60))
    def test_the_answer_is_what_running_the_text_again_gives(self, item):
        held, changed, number = {}, {}, 0
        for sentence in item.context.split(". "):
            if found := re.match(r"Box (\d+) contains (?:the (\w+)|nothing)", sentence):
                held[found[1]] = [found[2]] if found[2] else []
            elif found := re.match(r"(Move|Put|Remove) the (\w+)(.*)", sentence):
                number += 1
                boxes = re.findall(r"Box (\d+)", found[3])
                if found[1] != "Put":
                    held[boxes[0]].remove(found[2])
                if found[1] != "Remove":
                    held[boxes[-1]].append(found[2])
                changed.update(dict.fromkeys(boxes, number))
        asked = re.search(r"Box (\d+) now contains the$", item.context)[1]
        assert held[asked] == [item.options[0]]
        assert item.operations == number - changed[asked]

    def test_the_last_mention_answers_half_and_a_guess_less(self):
        right = heuristics(self.ITEMS)
        assert right["the last mention"] == 0.5
        assert right["the initial content"] < 0.3
        assert all(len(set(item.options)) == len(item.options) for item in self.ITEMS)

    def test_distances_are_spread_and_smaller_windows_get_smaller_worlds(self):
        far = Counter(item.operations for item in self.ITEMS if item.last)
        assert set(far) == set(range(12))
        assert fitting_shape(2000, lambda text: len(text.split())) == (7, 12)
        assert fitting_shape(90, lambda text: len(text.split())) in ((4, 6), (3, 4))
        assert fitting_shape(5, len) is None


class TestBabi:
    ROWS = (
        {
            "name": "basic-coreference",
            "story": "John went to the hall. He went home. Sue sat.",
            "question": "Where is John?",
            "answer": "home",
            "support": [1, 2],
            "line_ids": [1, 2, 3],
        },
        {
            "name": "basic-coreference",
            "story": "John went to the hall.",
            "question": "Where is John?",
            "answer": "hall",
            "support": [1],
            "line_ids": [1],
        },
    )

    def test_candidates_are_the_answers_of_the_task(self):
        items = babi_items(self.ROWS)
        assert [item.distance for item in items] == [1, 0]
        sides = items[0].choice.candidates
        assert [text for _, text in sides] == [" hall", " home"]
        assert items[0].choice.gold == 1
        assert babi_groups(items)["state_near"] == [0, 1]


class TestEndings:
    def test_names_do_not_give_the_ending_away(self):
        choices = ending_choices(read_prose(TALES), 40, random.Random(0), lambda texts: True)
        assert len(choices) == 40
        for choice in choices:
            context = choice.candidates[0][0]
            ending = choice.candidates[choice.gold][1].strip()
            assert f"{context} {ending}" in TALES[choice.document]
            for _, text in choice.candidates:
                named = set(re.findall(r"\w+", text)) & {*PEOPLE, "Tom"}
                assert named <= set(re.findall(r"\w+", context + ending))
        assert Counter(choice.gold for choice in choices).keys() == {0, 1, 2, 3}

    def test_published_formats(self):
        row = {f"InputSentence{n}": f"S{n}." for n in (1, 2, 3, 4)}
        row |= {"RandomFifthSentenceQuiz1": "A.", "RandomFifthSentenceQuiz2": "B."}
        (choice,) = story_cloze([{**row, "AnswerRightEnding": "2"}])
        assert choice.candidates == (("S1. S2. S3. S4.", " A."), ("S1. S2. S3. S4.", " B."))
        assert choice.gold == 1
        query = "Q: A fox ran. What is the moral?\nA. Run.\nB. Wait.\nAnswer: "
        (choice,) = labelled_choices([{"query": query, "gold": 1}], "fables")
        assert choice.candidates[1] == ("Q: A fox ran. What is the moral?\nAnswer:", " Wait.")
        assert labelled_choices([{"query": "Is it?", "gold": 0}], "x") == []


class TestGrid:
    def test_roles_of_a_small_text(self):
        assert entity_grid("Tom saw the dog. The dog ran to Tom. Tom sang.") == (
            ["Tom", "dog"],
            ["SO", "XS", "S-"],
        )

    def test_transitions_are_shares(self):
        share = transitions(["Tom saw the dog. The dog ran to Tom. Tom sang."])
        # Tom: S→X, X→S; dog: O→S, S→-
        assert share.reshape(4, 4)[0, 2] == share.reshape(4, 4)[2, 0] == 0.25
        assert share.sum() == 1
        assert np.isnan(transitions(["Nothing."])).all()

    def test_distance_is_0_for_equals_and_1_for_strangers(self):
        assert js_distance([0.5, 0.5, 0], [0.5, 0.5, 0]) == 0
        assert js_distance([1, 0], [0, 1]) == pytest.approx(1)
        from scipy.spatial.distance import jensenshannon

        p, q = [0.2, 0.3, 0.5], [0.1, 0.6, 0.3]
        assert js_distance(p, q) == pytest.approx(jensenshannon(p, q, base=2))


class TestLongContext:
    FILLER = tuple(f"The {n} wind blew over the hills of the north." for n in range(90))

    @staticmethod
    def tokens(text):
        return len(text.split())

    def test_needles_stand_at_their_depth_in_texts_of_the_length(self):
        items = needle_items(self.FILLER, lengths=(60, 240), each=10, tokens=self.tokens)
        assert len(items) == 2 * 4 * 10
        assert Counter(item.depth for item in items) == dict.fromkeys(DEPTHS, 16)
        for item in items:
            context, answer = item.choice.candidates[item.choice.gold]
            size = self.tokens(context + answer)
            assert item.length - 12 <= size <= item.length
            told = context.rpartition("The food")[0]
            assert (answer.strip(" .") in told) is True
            for option in {text for _, text in item.choice.candidates} - {answer}:
                if item.choice.condition == "single":
                    assert option.strip(" .") not in told

    def test_an_update_comes_after_what_it_changes(self):
        for item in needle_items(self.FILLER, lengths=(120,), each=20, tokens=self.tokens):
            if item.choice.condition == "update":
                context, answer = item.choice.candidates[item.choice.gold]
                person = re.search(r"that (\w+) chose was the$", context)[1]
                said = re.findall(rf"food that {person} chose was the (\w+)", context)
                assert said[-1] == answer.strip(" .") != said[0]

    def test_far_parts_differ_and_near_parts_do_not(self):
        pairs = far_pairs(
            read_prose(TALES), distances=(8, 24), each=20, longest=200, tokens=self.tokens
        )
        assert Counter(pair.condition for pair in pairs) == {"d8": 20, "d24": 20}
        for pair in pairs:
            assert f"{pair.coherent} {pair.region}" in TALES[pair.document]
            one, other = pair.coherent.split(), pair.corrupted.split()
            same = 0
            while one[-1 - same] == other[-1 - same]:
                same += 1
            assert same >= int(pair.condition[1:])


class TestTemplates:
    PAIRS = template_pairs(40)

    def test_words_are_the_same_but_for_what_is_corrupted(self):
        assert Counter(pair.condition for pair in self.PAIRS).most_common()[-1][1] == 40
        for pair in self.PAIRS:
            if pair.condition in ("told_entity_swap", "told_order_swap"):
                assert Counter(pair.coherent.split()) == Counter(pair.corrupted.split())
            assert pair.coherent.split()[-2:] == pair.corrupted.split()[-2:]

    def test_the_answer_is_first_and_last_mentioned_equally_often(self):
        for kind, words in (("entity_swap", 2), ("order_swap", 2)):
            first = []
            for pair in self.PAIRS:
                if pair.condition == f"told_{kind}":
                    answer = pair.region.strip(".")
                    other = wrong_answers(pair)
                    assert len(other) == words - 1
                    said = [w.strip(".,") for w in pair.coherent.split()]
                    first.append(said.index(answer) < said.index(other.pop()))
            assert np.mean(first) == 0.5

    def test_what_contradicts_is_what_the_corrupted_context_demands(self):
        by_context = {pair.coherent: pair for pair in self.PAIRS}
        for pair in self.PAIRS:
            twin = by_context.get(pair.corrupted)
            if twin is not None:
                assert twin.region.split()[0].strip(".") in wrong_answers(pair)


class TestTruth:
    def test_contexts_differ_in_one_word(self):
        items = simple_truths(60)
        assert len(items) == len(set(items)) == 60
        for item in items:
            one, other = item.true_context.split(), item.false_context.split()
            changed = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
            assert [(a.strip("."), b.strip(".")) for a, b in changed] == [(item.true, item.false)]
        assert all(len(line) == 3 for line in SIMPLE)

    def test_facts_are_stated_in_one_phrasing_and_asked_in_another(self):
        fact = Fact("P1", "Ann", ("Rome", "Bonn"), ("Ann lives in", "The home of Ann is"), ("", ""))
        (item,) = fact_truths([fact])
        assert item.true_context == "The home of Ann is Rome. Ann lives in"
        assert item.false_context == "The home of Ann is Bonn. Ann lives in"
        assert (item.true, item.false) == ("Rome", "Bonn")


class TestPerturbations:
    TEXT = "Little Anna wandered through the beautiful forest. Nothing moved in the forest."

    def test_typos_keep_letters_and_grow_with_the_rate(self):
        changed = []
        for rate in (0.0, 0.3, 1.0):
            words = with_typos(self.TEXT, rate).split()
            pairs = list(zip(self.TEXT.split(), words, strict=True))
            assert all(sorted(a) == sorted(b) and a[0] == b[0] for a, b in pairs)
            changed.append({a for a, b in pairs if a != b})
        assert changed[0] == set() < changed[1] < changed[2]
        assert len(set(re.findall(r"\bf\w+t\b", with_typos(self.TEXT, 1.0)))) == 1

    def test_synonyms_keep_the_number_of_words(self):
        assert with_synonyms(self.TEXT).split()[4:7] == ["the", "pretty", "woods."]

    def test_a_nonce_name_is_the_same_in_context_and_region(self):
        pair = template_pairs(1)[0]
        new = renamed(pair, ("Lily", "Tom", *(w for w in pair.coherent.split() if w.istitle())))
        assert new.region == pair.region
        assert new.coherent != pair.coherent
        assert Counter(new.coherent.split()) == Counter(new.corrupted.split())


def test_published_orders_of_one_paragraph_are_one_document():
    pairs = published_orders([{"original": "A. B.", "shuffled": ["B. A.", "A. B."]}])
    assert [(pair.good, pair.bad, pair.document) for pair in pairs] == [("A. B.", "B. A.", 0)]
