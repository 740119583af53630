import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.core import DataError
from nucleate.corpora.ngrams import NgramModel

# 0 is followed by 1, 1, 2; 1 by 0, 0. Add one: counts 4, 3, 2 of 9.
TOKENS = np.array([0, 1, 0, 1, 0, 2])
MODEL = NgramModel(TOKENS, 3)


def test_witten_bell_by_hand():
    # After 0: N = 3 tokens, T = 2 types, so the unigram weighs 2/5.
    bigram = [2 / 5 * 4 / 9, 2 / 5 + 2 / 5 * 3 / 9, 1 / 5 + 2 / 5 * 2 / 9]
    np.testing.assert_allclose(MODEL.unigram, [4 / 9, 3 / 9, 2 / 9])
    np.testing.assert_allclose(MODEL.distribution((0,), 2), bigram)
    # After (0, 1): 0 twice, so N = 2, T = 1; after 1 alone the same.
    after_1 = 2 / 3 + 1 / 3 * 4 / 9
    assert MODEL.distribution((0, 1), 3)[0] == pytest.approx(2 / 3 + after_1 / 3)
    assert MODEL.log_prob((0, 1), 0) == pytest.approx(np.log(0.93827), abs=1e-5)


def test_an_unseen_context_leaves_all_to_the_shorter_one():
    np.testing.assert_allclose(MODEL.distribution((2,), 2), MODEL.unigram)
    np.testing.assert_allclose(MODEL.distribution((1, 1), 3), MODEL.distribution((1,), 2))
    np.testing.assert_allclose(MODEL.distribution((), 3), MODEL.unigram)


@given(st.lists(st.integers(0, 6), min_size=3, max_size=60), st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_probabilities_are_positive_and_sum_to_one(tokens, before, last):
    model = NgramModel(np.array(tokens), 7)
    for order in (1, 2, 3):
        p = model.distribution((before, last), order)
        assert p.min() > 0
        assert p.sum() == pytest.approx(1)
        np.testing.assert_allclose(
            model.probabilities((before, last), order - 1, np.arange(7)), p, rtol=1e-12
        )
    logs = [model.log_prob((before, last), token) for token in range(7)]
    np.testing.assert_allclose(logs, np.log(p))


def test_a_large_vocabulary_does_not_confuse_contexts():
    """Codes of contexts are numbers in base V: 60,000 to the third still fits."""
    tokens = np.array([59_999, 59_998, 7, 0, 59_998, 8])
    model = NgramModel(tokens, 60_000)
    assert model.distribution((59_999, 59_998), 3).argmax() == 7
    assert model.distribution((0, 59_998), 3).argmax() == 8


@pytest.mark.parametrize(
    ("tokens", "message"),
    [([0, 1], "too short"), ([0, 1, 3], "outside the vocabulary"), ([0, -1, 1], "outside")],
)
def test_tokens_that_cannot_be_counted_are_a_mistake(tokens, message):
    with pytest.raises(DataError, match=message):
        NgramModel(np.array(tokens), 3)
