import numpy as np
import pytest

from nucleate.corpora.ngrams import NgramModel
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour import alignment as module
from nucleate.probes.behaviour.alignment import AlignmentItems, alignment, held_out_rows
from tests.unit.probes.models import Told

# Unigram with add one: 4, 3, 2 of 9 (see the tests of n-grams).
SMALL = NgramModel(np.array([0, 1, 0, 1, 0, 2]), 3)


def uniform(vocabulary):
    return Told(
        log_probs=lambda rows: np.full((*rows.shape, vocabulary), -np.log(vocabulary), np.float32)
    )


@pytest.fixture(scope="module")
def corpus():
    """A stream with strong bigrams and trigrams: each token follows from the two before it."""
    rng = np.random.default_rng(5)
    tokens = [0, 1]
    for _ in range(4000):
        follows = (3 * tokens[-1] + 4 * (tokens[-2] % 2) + int(rng.integers(0, 3))) % 23
        tokens.append(follows)
    return np.array(tokens)


def readings(view, items):
    return {reading.metric: reading for reading in alignment(view, items)}


def test_a_uniform_model_is_as_far_as_the_entropy_is_below_its_maximum():
    items = AlignmentItems(np.array([[0, 1, 0, 1]]), SMALL)
    found = readings(uniform(3), items)
    p = np.array([4, 3, 2]) / 9
    assert found["ngram.unigram.kl"].value == pytest.approx(np.log(3) + p @ np.log(p), abs=1e-6)
    # Contexts end in 0, then in 1; the bigrams are those of the hand-made test.
    after_0 = np.array([2 / 5 * 4 / 9, 2 / 5 + 2 / 15, 1 / 5 + 4 / 45])
    after_1 = np.array([2 / 3 + 4 / 27, 1 / 9, 2 / 27])
    expected = np.log(3) + np.mean([p @ np.log(p) for p in (after_0, after_1)])
    assert found["ngram.bigram.kl"].value == pytest.approx(expected, abs=1e-6)
    # One word comes after the positions that are asked about: a 1 after "1 0".
    gap = found["ngram.bigram.gap_nll"]
    assert gap.value == pytest.approx(np.log(3) + np.log(after_0[1]), abs=1e-6)


@pytest.mark.parametrize(("order", "name"), [(1, "unigram"), (2, "bigram"), (3, "trigram")])
def test_a_model_that_is_the_ngram_itself_is_at_zero_from_it_alone(corpus, order, name):
    rows = held_out_rows(corpus, 4, 32)
    items = AlignmentItems(rows, NgramModel(corpus, 23))
    found = readings(NgramView(NgramModel(corpus, 23, order)), items)
    for other in ("unigram", "bigram", "trigram"):
        kl, gap = found[f"ngram.{other}.kl"], found[f"ngram.{other}.gap_nll"]
        assert (kl.n, gap.n) == (4, 4)
        if other == name:
            assert kl.value == pytest.approx(0, abs=1e-5)
            assert gap.items == pytest.approx((0, 0, 0, 0), abs=1e-5)
        else:
            assert kl.value > 0.05
    # A model of a longer context has left shorter ones behind, and lags longer ones.
    order_of = {"unigram": 1, "bigram": 2, "trigram": 3}
    for other, length in order_of.items():
        gap = found[f"ngram.{other}.gap_nll"]
        assert (gap.value > 0.05) == (length > order)


def test_the_sparse_sums_equal_the_dense_definition(corpus, monkeypatch):
    rng = np.random.default_rng(0)
    rows, ngrams = held_out_rows(corpus[500:], 5, 20), NgramModel(corpus[:2000], 23)
    logits = rng.normal(0, 3, (5, 20, 30))  # a model may have more rows than the tokenizer words
    log_q = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    at = {tuple(row): place for place, row in enumerate(rows.tolist())}
    view = Told(
        log_probs=lambda asked: np.stack([log_q[at[tuple(row)]] for row in asked.tolist()]).astype(
            np.float32
        )
    )
    kl = AlignmentItems(rows, ngrams).kl(view)
    for order in (1, 2, 3):
        for r, row in enumerate(rows.tolist()):
            for t in range(2, 20):
                p = ngrams.distribution(tuple(row[: t + 1][-2:]), order)
                expected = p @ (np.log(p) - log_q[r, t, :23])
                assert kl[order - 1, r, t - 2] == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(module, "LOG_PROBS_AT_ONCE", 1)
    np.testing.assert_array_equal(AlignmentItems(rows, ngrams).kl(view), kl)


def test_the_ngram_view_answers_what_the_ngram_model_says(corpus):
    from nucleate.probes.scorer import Query, make_plan

    model = NgramModel(corpus, 23)
    plan = make_plan([Query((4, 5, 6, 7), ((3, (1, 2)), (1, (9,)))), Query((8, 9), ((1, (0,)),))])
    expected = [
        model.log_prob(context, token)
        for context, token in (((5, 6), 1), ((5, 6), 2), ((4,), 9), ((8,), 0))
    ]
    np.testing.assert_allclose(NgramView(model).answers(plan), expected)


def test_rows_are_cut_without_a_rest():
    assert held_out_rows(np.arange(10), 5, 3).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
