import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing

from nucleate.core import DataError
from nucleate.corpora.tokenizer import bpe_tokenizer, word_tokenizer
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView
from tests.unit.corpora.prose import stories
from tests.unit.probes.models import tiny

BPE = bpe_tokenizer(stories(30), vocab_size=300)
WORDS = word_tokenizer("a b c d e f".split())


def adding_begin_token():
    tokenizer = bpe_tokenizer(stories(30), vocab_size=300)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<eos> $A", special_tokens=[("<eos>", 0)]
    )
    return tokenizer


@torch.no_grad()
def by_hand(model, before, asked):
    """Sum of log-probabilities of `asked`, and whether each is the argmax, by transformers."""
    ids = [*before, *asked]
    logits = model(torch.tensor([ids])).logits[0, len(before) - 1 : -1].double()
    picked = torch.log_softmax(logits, -1)[range(len(asked)), asked]
    return picked.sum().item(), logits.argmax(-1).tolist() == asked


def ids(text, tokenizer=BPE):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def model():
    return tiny("neox", vocabulary=len(BPE))


@pytest.mark.parametrize(
    ("request_", "before", "asked"),
    [
        (("Tom ran", " to the mill."), "Tom ran", " to the mill."),
        (("Tom ran ", "to the mill."), "Tom ran", " to the mill."),  # blanks go to the asked
        (("Tom ran\n ", "He"), "Tom ran", "\n He"),
        (("", "Tom ran"), "", "Tom ran"),
        ((" ", "Tom"), "", " Tom"),  # nothing but blanks: as if empty
    ],
)
def test_a_request_is_the_sum_over_its_continuation(model, request_, before, asked):
    scores = Requests([request_], BPE).score(ModelView(model))
    expected, greedy = by_hand(model, ids(before) or [0], ids(asked))
    assert scores.log_prob[0] == pytest.approx(expected, abs=1e-4)
    assert scores.greedy[0] == greedy
    assert scores.tokens[0] == len(ids(asked))
    assert scores.characters[0] == len(request_[1])


def test_a_border_within_a_token_falls_where_the_context_alone_ends(model):
    context, continuation = "Then Ben ran to t", "he river."
    head, whole = ids(context), ids(context + continuation)
    assert whole[: len(head)] != head  # " the" is one token of the whole
    scores = Requests([(context, continuation)], BPE).score(ModelView(model))
    expected, _ = by_hand(model, head, whole[len(head) :])
    assert scores.log_prob[0] == pytest.approx(expected, abs=1e-4)


def test_a_tokenizer_that_adds_its_begin_token_is_let_or_not(model):
    tokenizer, request = adding_begin_token(), ("Tom ran", " home.")
    view = ModelView(model)
    by_default = Requests([request], tokenizer).score(view).log_prob[0]
    without = Requests([request], tokenizer, begin=False).score(view).log_prob[0]
    assert by_default == pytest.approx(by_hand(model, [0, *ids("Tom ran")], ids(" home."))[0])
    assert without == pytest.approx(by_hand(model, ids("Tom ran"), ids(" home."))[0])


def test_a_text_that_spells_the_begin_token_is_not_given_two():
    tokenizer = adding_begin_token()
    tokenizer.split_special_tokens = False
    fed = Requests([("<eos>Tom", " ran")], tokenizer).plan.batches[0].ids_BT[0].tolist()
    assert fed[0] == 0
    assert 0 not in fed[1:]


def test_long_contexts_are_cut_from_the_left_and_the_asked_never():
    requests = Requests([("a b c d", " e f"), ("a", " b c")], WORDS, context=3)
    model = tiny(vocabulary=7)
    scores = requests.score(ModelView(model))
    # The window feeds three tokens: two of the context and the first of the asked.
    assert scores.log_prob[0] == pytest.approx(by_hand(model, [3, 4], [5, 6])[0], abs=1e-4)
    assert scores.log_prob[1] == pytest.approx(by_hand(model, [1], [2, 3])[0], abs=1e-4)


def test_the_greedy_path_is_greedy_and_any_other_is_not():
    model = tiny(vocabulary=7)
    path = [1]
    with torch.no_grad():
        for _ in range(3):
            path.append(model(torch.tensor([path])).logits[0, -1].argmax().item())
    words = WORDS.convert_ids_to_tokens(path)
    assert "<eos>" not in words
    other = "a" if words[3] != "a" else "b"
    asked = [" ".join(words[1:]), " ".join((*words[1:3], other))]
    scores = Requests([("a", f" {text}") for text in asked], WORDS).score(ModelView(model))
    assert scores.greedy.tolist() == [True, False]


def test_what_stands_twice_is_asked_once(model):
    once = Requests([("Tom ran", " home.")], BPE)
    many = Requests([("Tom ran", " home."), ("Tom ran ", "home."), ("Tom ran", " home.")], BPE)
    assert many.cost == once.cost
    assert len(many) == 3
    scores = many.score(ModelView(model))
    assert len(set(scores.log_prob.tolist())) == 1
    assert scores.characters.tolist() == [6, 5, 6]


def test_lengths_are_of_the_continuation_as_given(model):
    scores = Requests([("Ana ", "é!")], BPE).score(ModelView(model))
    assert (scores.characters[0], scores.bytes[0]) == (2, 3)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (("a", ""), "request 0: .*no tokens.*0 tokens"),
        (("a", " b c d e"), "request 0: .*more than the context.*4 tokens"),
        (("a", " z"), r"not in the vocabulary .*'z'"),
    ],
)
def test_a_request_that_cannot_be_asked_is_a_mistake(request_, message):
    with pytest.raises(DataError, match=message):
        Requests([request_], WORDS, context=3)


def test_no_requests_no_scores(model):
    scores = Requests([], BPE).score(ModelView(model))
    assert scores.log_prob.shape == scores.greedy.shape == scores.tokens.shape == (0,)
    np.testing.assert_equal(scores.bytes, np.zeros(0, dtype=np.int64))
