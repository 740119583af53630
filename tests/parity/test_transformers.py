"""Scores equal what `transformers` says of each sequence on its own, in every family."""

import numpy as np
import pytest
import torch

from nucleate.core.families import FAMILIES
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.models.families import FAMILIES as WITH_HEADS
from nucleate.probes import scorer
from nucleate.probes.plan import make_plan, sequence_query
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView
from tests.parity.families import WINDOW, family
from tests.unit.corpora.prose import stories

TOKENIZER = bpe_tokenizer(stories(30), vocab_size=300)
NAMED = ("llama", "gpt_neox", "mixtral", "gpt2")
LONG = " Then Ben ran to the river. In the morning Tom gave Lily a small drum."

REQUESTS = [
    ("Tom ran", " to the mill."),
    ("Tom ran", " to the river."),  # the same context
    ("Tom ran ", "to the mill."),  # a blank on the left or on the right of the border
    ("Tom ran to", " the"),
    ("Tom ran t", "o the"),  # a border within a token
    ("", "Tom ran to the mill."),
    ("", "Tom ran to the river."),
    ("", "."),  # nothing before it, one token
    (" ", "Tom"),
    ("<eos>", "Tom"),
    ("Lily sang" + 4 * LONG, " and"),  # contexts longer than the window
    ("Lily sang" + 4 * LONG, " and then left."),
    (4 * LONG, LONG[:20]),
    ("Tom ran", " to the mill."),  # twice
]


def ids(text):
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def alone(model, context, continuation):
    """Log-probability and greediness of one continuation, one sequence at a time."""
    blanks = len(context) - len(context.rstrip())
    start = len(ids(context[: len(context) - blanks]))
    head, asked = ids(context)[:start], ids(context + continuation)[start:]
    head = ids(context[: len(context) - blanks]) or [0]
    sequence = [*head, *asked]
    fed = sequence[:-1][-WINDOW:]
    logits = model(torch.tensor([fed])).logits[0, -len(asked) :].double()
    picked = torch.log_softmax(logits, -1)[range(len(asked)), asked]
    return picked.sum().item(), logits.argmax(-1).tolist() == asked


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", NAMED)
def test_requests_of_every_kind(name, attention):
    model = family(name, len(TOKENIZER), attention)
    scores = Requests(REQUESTS, TOKENIZER, context=WINDOW).score(ModelView(model))
    expected = [alone(model, *request) for request in REQUESTS]
    np.testing.assert_allclose(scores.log_prob, [value for value, _ in expected], atol=1e-4)
    assert scores.greedy.tolist() == [greedy for _, greedy in expected]
    assert scores.tokens.max() > 8
    assert np.ptp(scores.log_prob) > 5


def sequences(seed=0, vocabulary=97):
    """Sequences many of which begin alike, and some that fill the window."""
    rng = np.random.default_rng(seed)
    short = [rng.integers(0, 3, n).tolist() + rng.integers(0, vocabulary, 4).tolist()
             for n in rng.integers(1, 9, 60)]  # fmt: skip
    long = [rng.integers(0, vocabulary, WINDOW + 1).tolist() for _ in range(3)]
    return [tuple(sequence) for sequence in short + long]


KNOWN = sorted(scorer._KNOWN)
OTHERS = ("bloom", "gpt_neo")
NEAR = ("mistral", "gemma2", "gemma3_text", "olmo3")
"""Families whose small models see four tokens only, in every layer or in some."""
EAGER = ("bloom", "gpt_neo", "gemma2")


@pytest.mark.parametrize(
    ("name", "window"),
    [*((name, 4) for name in NEAR), *((name, 64) for name in [*KNOWN, *OTHERS])],
)
def test_every_family_that_is_run_in_rows_with_branches_and_others(name, window):
    wide = {"sliding_window": 64} if name in NEAR and window == 64 else {}
    model = family(name, 97, "eager" if name in EAGER else "sdpa", **wide)
    texts = sequences()
    plan = make_plan([sequence_query(text, 1) for text in texts])
    assert sum(batch.end_BT is not None for batch in plan.batches)
    assert scorer._sees_branches(model, plan) == (name in KNOWN and window == 64)
    expected = []
    with torch.no_grad():
        for text in texts:
            table = torch.log_softmax(model(torch.tensor([text[:-1]])).logits[0].double(), -1)
            expected += table[range(len(text) - 1), text[1:]].tolist()
    np.testing.assert_allclose(scorer.answer(model, plan), expected, atol=1e-4)
    assert np.std(expected) > 0.5


def test_every_architecture_whose_parts_are_known_is_asked_the_fast_way():
    assert set(KNOWN) >= {*FAMILIES, *WITH_HEADS}


def test_only_known_families_with_attention_over_the_whole_sequence_see_branches():
    texts = sequences()
    plan = make_plan([sequence_query(text, 1) for text in texts])
    assert all(scorer._sees_branches(family(name, 97), plan) for name in NAMED)
    assert not scorer._sees_branches(family("bloom", 97, "eager"), plan)
    near = make_plan([sequence_query(text[:5], 1) for text in texts])
    assert not scorer._sees_branches(family("mistral", 97), plan)
    assert scorer._sees_branches(family("mistral", 97), near)  # all within its window
