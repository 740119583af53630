import random
import re
from collections import Counter

import pytest

from nucleate.corpora.pairs import FEWEST, count_words, make_text_pairs
from nucleate.corpora.sentences import sentence_runs, split_sentences
from nucleate.corpora.swaps import find_names, swap_names, swap_pairs
from nucleate.corpora.windows import Prose, spread
from tests.unit.corpora.prose import NAMES, stories

ASKED = {"orders": 30, "swaps": 20, "others": 12, "longest": 200}


@pytest.fixture(scope="module")
def documents():
    return stories(60)


@pytest.fixture(scope="module")
def made(documents):
    return make_text_pairs(documents, **ASKED)


def test_as_many_as_asked_where_the_text_allows(made):
    kinds = (made.sentence_order, made.block_order, made.entity_swap, made.other_document)
    assert [len(kind) for kind in kinds] == [30, 30, 20, 12]
    assert made.notes == ()


@pytest.mark.parametrize("kind", ["sentence_order", "block_order"])
def test_order_pairs_hold_the_same_sentences_behind_the_same_lead(made, kind):
    for pair in getattr(made, kind):
        good, bad = split_sentences(pair.good), split_sentences(pair.bad)
        assert good != bad
        assert Counter(good) == Counter(bad)
        assert good[0] == bad[0]
        assert 5 <= len(good) <= 7
        assert pair.condition == kind


def test_order_pairs_are_consecutive_in_their_document(made, documents):
    for pair in made.sentence_order:
        assert pair.good in documents[pair.document]
        assert pair.bad not in documents[pair.document]


def test_block_pairs_keep_blocks_of_two_together(made):
    for pair in made.block_order:
        _, *moved = split_sentences(pair.good)
        bad = split_sentences(pair.bad)
        for first, second in zip(moved[::2], moved[1::2], strict=False):
            assert bad[bad.index(first) + 1] == second


def test_swap_pairs_exchange_two_names_and_keep_the_region(made, documents):
    for pair in made.entity_swap:
        assert f"{pair.coherent} {pair.region}" in documents[pair.document]
        assert pair.coherent != pair.corrupted
        a, b = sorted(name for name in NAMES if re.search(rf"\b{name}\b", pair.coherent))
        assert swap_names(pair.corrupted, a, b) == pair.coherent
        assert len({a, b} & set(re.findall(r"\w+", pair.region))) == 1
        assert 3 <= len(split_sentences(pair.coherent)) <= 6


def test_recency_and_frequency_of_names_earn_exactly_one_half(made):
    """The last mentioned, and the more often mentioned, of the two is the one named as often as
    not: readers who know nothing else are right in half of the pairs."""
    recency, frequency = [], []
    for pair in made.entity_swap:
        named = next(name for name in NAMES if re.search(rf"\b{name}\b", pair.region))
        words = [word for word in re.findall(r"\w+", pair.coherent) if word in NAMES]
        (other,) = set(words) - {named}
        recency.append(words[-1] == named)
        lead = words.count(named) - words.count(other)
        frequency.append((lead > 0) - (lead < 0))
    assert sum(recency) * 2 == len(recency)
    assert sum(frequency) == 0
    assert any(frequency)


def test_the_stranger_comes_from_another_document():
    documents = stories(4, sentences=80)
    few = make_text_pairs(documents, orders=0, swaps=0, others=40, longest=200)
    assert len(few.other_document) >= 10  # several windows of each document
    for pair in few.other_document:
        assert f"{pair.coherent} {pair.region}" in documents[pair.document]
        assert pair.corrupted not in documents[pair.document]


def test_equal_seeds_equal_pairs_other_seeds_others(made, documents):
    assert make_text_pairs(documents, **ASKED) == made
    assert make_text_pairs(documents, **ASKED, seed=1) != made


def test_no_text_is_longer_than_allowed(documents):
    made = make_text_pairs(documents, orders=20, swaps=20, others=20, longest=60)
    texts = [t for pair in (*made.sentence_order, *made.block_order) for t in (pair.good, pair.bad)]
    for pair in (*made.entity_swap, *made.other_document):
        texts += [f"{pair.coherent} {pair.region}", f"{pair.corrupted} {pair.region}"]
    assert texts
    assert max(count_words(text) for text in texts) <= 60


def test_too_few_of_a_kind_are_left_out_and_said_so():
    made = make_text_pairs(stories(3, sentences=6), **ASKED)
    assert made.sentence_order == ()
    assert made.notes[0].startswith("sentence_order is left out: ")
    nothing = make_text_pairs(["no sentences here at all"] * 5, **ASKED)
    assert len(nothing.notes) == 4
    assert all(" 0 of " in note for note in nothing.notes)


def test_fewer_than_asked_is_said():
    made = make_text_pairs(stories(12), orders=500, swaps=0, others=0, longest=200)
    assert FEWEST <= len(made.sentence_order) < 500
    assert made.notes == (
        f"sentence_order: {len(made.sentence_order)} of 500 pairs could be made",
        f"block_order: {len(made.block_order)} of 500 pairs could be made",
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Then Lily saw Tom. Tom and Lily ran.", {"Lily", "Tom"}),
        ("Then Lily ran. But Tom slept.", set()),
        ("Will saw Lily. I will see Will, and Lily smiled at Will. Then Lily left.", {"Lily"}),
        ("Now the Queen came. Then the Queen left.", set()),
        ("She saw Willow Creek. He liked Willow Creek.", set()),
        ("She met Mrs. Hill. He met Mrs. Hill too.", set()),
        ("They climbed Raven's Peak. They liked Raven's Peak.", set()),
        ("It was on Monday. It was a Monday. We met Monday.", set()),
        ("He saw Anna-Maria. She saw Anna-Maria.", set()),
    ],
)
def test_names_are_single_capitalised_words_that_are_never_anything_else(text, names):
    assert find_names(text) == names


def test_swapping_reaches_possessives_but_no_other_words():
    swapped = swap_names("Tom's dog saw Tomas and Ann.", "Tom", "Ann")
    assert swapped == "Ann's dog saw Tomas and Tom."


def test_no_pair_without_a_second_name():
    text = "Then Lily ran. Soon Lily slept. After that Lily ate. In the end Lily smiled. So it was."
    prose = [Prose(0, text, sentence_runs(text))]
    assert swap_pairs(prose, 10, random.Random(0), lambda _: True) == []


def test_spread_takes_one_of_each_before_a_second_of_any():
    assert spread([[1, 2, 3], [4], [5, 6]], 5) == [1, 4, 5, 2, 6]
