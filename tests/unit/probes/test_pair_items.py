import numpy as np
import pytest

from nucleate.core import DataError
from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.tokenizer import bpe_tokenizer, encode, word_tokenizer
from nucleate.probes.behaviour.pairs import PairItems, blimp, coherence
from nucleate.probes.scorer import answer, make_plan, sequence_query
from nucleate.probes.view import ModelView
from tests.unit.corpora.prose import stories
from tests.unit.probes.models import Told, tiny

WORDS = word_tokenizer("a b c d e f".split())
BPE = bpe_tokenizer(stories(30), vocab_size=300)


def ids_of(plan):
    """What stands before each asked token, the begin token aside."""
    return [list(before[1:]) for _, before, _ in plan.questions()]


def test_differences_are_sums_over_the_region_and_over_whole_texts():
    model = tiny(vocabulary=len(BPE))
    first, second = "Lily saw Tom near the mill.", "Tom saw Lily near the mill."
    pairs = [
        ContextPair(first, second, "Then Tom ran.", "swap"),
        MinimalPair(first, second, "whole"),
    ]
    found = PairItems(pairs, BPE).differences(ModelView(model))

    def log_prob(before, asked):
        (head,), (tail,) = encode(BPE, [before]), encode(BPE, [asked])
        plan = make_plan([sequence_query([0, *head, *tail], 1 + len(head))])
        return answer(model, plan).sum()

    region = " Then Tom ran."
    expected = [
        log_prob(first, region) - log_prob(second, region),
        log_prob("", first) - log_prob("", second),
    ]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found).min() > 0.1


def test_a_region_has_the_same_tokens_after_any_context():
    items = PairItems([ContextPair("Lily sang", "A dog", "and then left.")], BPE)
    (region,) = encode(BPE, [" and then left."])
    one, other = items.plan.offsets[1], items.plan.offsets[2] - items.plan.offsets[1]
    assert one == other == len(region)


def test_a_text_in_two_pairs_is_asked_once():
    pairs = [MinimalPair("a b c", "c b a", "x"), MinimalPair("a b c", "b a c", "y")]
    items = PairItems(pairs, WORDS)
    # The begin token, and two more of each of three texts, whose last token is never fed.
    assert items.plan.forward_tokens == 7
    # Sums of the three texts, in the order in which they were met: -1, -2, -6.
    view = Told(answers=[-1, 0, 0, -2, 0, 0, -6, 0, 0])
    assert items.differences(view).tolist() == [1, 5]


def test_the_same_tokens_with_another_region_are_asked_apart():
    pairs = [ContextPair("a b", "b a", "c"), ContextPair("a", "b", "b c")]
    assert len(PairItems(pairs, WORDS).plan.offsets) == 5


def test_contexts_are_cut_from_the_left_and_regions_never():
    items = PairItems([ContextPair("a b c d", "d c b a", "e f")], WORDS, context=5)
    # The begin token, two of the context, and of the region all but the last (asked, not fed).
    assert ids_of(items.plan) == [[3, 4], [3, 4, 5], [2, 1], [2, 1, 5]]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (MinimalPair("a b c d e", "e d c b a"), "longer than the context"),
        (ContextPair("a", "b", "a b c d e"), "longer than the context"),
        (MinimalPair("", "a"), "empty"),
        (ContextPair("a", "b", " "), "empty region"),
        (MinimalPair("a", "z"), r"not in the vocabulary .*'z'"),
    ],
)
def test_a_pair_that_cannot_be_asked_is_a_mistake(pair, message):
    with pytest.raises(DataError, match=message):
        PairItems([pair], WORDS, context=5)


def test_conditions_are_read_apart_and_documents_are_clusters():
    pairs = [
        MinimalPair("a", "b", "x", document=4),
        MinimalPair("a", "c", "x", document=4),
        MinimalPair("a", "d", "x"),
        MinimalPair("a", "e", "y"),
    ]
    items = PairItems(pairs, WORDS)
    assert items.clusters == [4, 4, -3, -4]
    # Log-probabilities of a, b, c, d, e: differences 1, 1, -2, 0.
    view = Told(answers=[-3, -4, -4, -1, -3])
    found = {reading.metric: reading for reading in coherence(view, items)}
    assert found["coherence.x.accuracy"].value == pytest.approx(2 / 3)
    # Residuals (1/3 + 1/3, -2/3): sqrt(2 · 8/9) / 3.
    assert found["coherence.x.accuracy"].se == pytest.approx(4 / 9)
    assert found["coherence.y.accuracy"].value == 0.5
    everything = {reading.metric: reading for reading in blimp(view, items)}
    assert everything["blimp.all.margin"].items == (1, 1, -2, 0)


def test_no_pairs_no_readings():
    items = PairItems([], WORDS)
    assert list(blimp(Told(answers=[]), items)) == []
    assert items.plan.forward_tokens == 0
