"""Sampling that can be repeated, and what is counted in the samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.corpora.narrative.templates import template_pairs
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.probes.generation.entities import known_share, names_in
from nucleate.probes.generation.probe import GenerationItems
from nucleate.probes.generation.repetition import distinct, ends_in_loop, repeated
from nucleate.probes.generation.sampling import Decoding, sample
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView
from tests.unit.probes.models import VOCABULARY, sequences, tiny


class TestSampling:
    def test_the_likeliest_tokens_are_those_of_transformers(self):
        model, prompts = tiny(), [list(ids) for ids in sequences([5, 9, 5])]
        found = sample(model, prompts, Decoding(length=12, temperature=0))
        for prompt, drawn in zip(prompts, found, strict=True):
            ids = torch.tensor([prompt])
            mask = torch.ones_like(ids)
            own = model.generate(
                ids, attention_mask=mask, max_new_tokens=12, do_sample=False, pad_token_id=0,
                eos_token_id=None,
            )  # fmt: skip
            assert own[0, len(prompt) :].tolist() == drawn

    def test_a_draw_depends_on_its_seed_and_place_alone_and_leaves_no_trace(self):
        model, prompts = tiny(), [list(ids) for ids in sequences([6, 6, 4])]
        before = torch.get_rng_state()
        one = sample(model, prompts, Decoding(length=20, seed=1))
        assert torch.equal(before, torch.get_rng_state())
        assert one == sample(model, prompts, Decoding(length=20, seed=1))
        assert one != sample(model, prompts, Decoding(length=20, seed=2))
        assert one[:1] == sample(model, prompts[:1], Decoding(length=20, seed=1))
        assert one[2] == ModelView(model).continuations(prompts, Decoding(length=20, seed=1))[2]

    def test_frequencies_are_the_models(self):
        """The first drawn token over 4,000 seeds against its distribution."""
        model, prompt = tiny(), list(sequences([5])[0])
        drawn = sample(model, [prompt] * 4000, Decoding(length=1, temperature=1.5, top_p=1.0))
        with torch.no_grad():
            logits = model(torch.tensor([prompt])).logits[0, -1].double()
        p = torch.softmax(logits / 1.5, -1).numpy()
        counts = np.bincount([own[0] for own in drawn], minlength=VOCABULARY)
        error = np.sqrt(4000 * p * (1 - p)) + 1
        assert (np.abs(counts - 4000 * p) < 5 * error).all()

    def test_top_p_keeps_the_smallest_set(self):
        model, prompt = tiny(), list(sequences([5])[0])
        with torch.no_grad():
            p = torch.softmax(model(torch.tensor([prompt])).logits[0, -1].double(), -1)
        ranked = p.argsort(descending=True)
        size = int((p[ranked].cumsum(0) < 0.5).sum()) + 1
        drawn = sample(model, [prompt] * 300, Decoding(length=1, top_p=0.5))
        assert {own[0] for own in drawn} <= set(ranked[:size].tolist())

    def test_settings_out_of_range(self):
        with pytest.raises(DataError, match="decoding settings"):
            Decoding(top_p=0.0)
        assert str(Decoding()) == "64 tokens, temperature 1, top-p 0.95, seed 0"


class TestCounts:
    def test_repetition(self):
        assert distinct("a b c a b".split(), 1) == 0.6
        assert repeated("a b a b".split(), 2) == pytest.approx(1 / 3)
        assert np.isnan(distinct(["a"], 2))
        assert ends_in_loop("so it was x y x y x y".split())
        assert not ends_in_loop("so it was x y x y x".split())
        assert ends_in_loop("no no no".split())

    def test_strangers(self):
        prompt = "Tom saw Ann at the lake. Tom waved."
        assert names_in("Then Tom and Bob ran. I saw Mom.") == ["Tom", "Bob"]
        assert known_share(prompt, "Tom ran. The lake was cold, and Ann swam.") == 1
        assert known_share(prompt, "Then Bob ran to Ann.") == 0.5
        assert np.isnan(known_share(prompt, "It was cold."))


class TestProbe:
    TEXTS = tuple(pair.coherent for pair in template_pairs(10))
    TOKENIZER = bpe_tokenizer(TEXTS, vocab_size=300)
    STORIES = tuple((text, "So they went home. It was late.") for text in TEXTS[:8])

    class Writes:
        """Writes one text after each story, and the right word after each question."""

        def __init__(self, items, tokenizer, right):
            self._items, self._tokenizer, self._right = items, tokenizer, right

        def continuations(self, prompts, decoding):
            if prompts is self._items.prompts:
                texts = ["on and on and on and on"] * len(prompts)
            else:
                words = [q.region.split()[0] for q in self._items.questions]
                texts = [f" {word} and" if self._right else " nothing." for word in words]
            return [self._tokenizer.encode(text)[: decoding.length] for text in texts]

    def items(self):
        questions = template_pairs(6)
        return GenerationItems(self.STORIES, questions, self.TOKENIZER, context=128)

    def measure(self, right):
        items = self.items()
        view = self.Writes(items, self.TOKENIZER, right)
        return {r.metric: r.value for r in get_probe("generation").measure(view, items)}

    def test_what_is_right_and_what_loops(self):
        found = self.measure(right=True)
        assert found["generation.consistent.share"] == 1
        assert found["generation.contradiction.share"] == 0
        assert found["generation.loop.share"] == 1
        assert found["generation.distinct1.share"] == pytest.approx(2 / 7)
        assert self.measure(right=False)["generation.consistent.share"] == 0

    def test_causes_are_not_asked_and_people_do_not_loop(self):
        items = self.items()
        assert {q.condition for q in items.questions} == {
            f"told_{kind}"
            for kind in ("entity_swap", "order_swap", "contradiction", "pronoun_flip")
        }
        assert items.human["loop"] == [0.0] * 8
        assert items.cost > 8 * 64

    def test_a_real_model_writes(self):
        items = self.items()
        view = ModelView(tiny(vocabulary=len(self.TOKENIZER)))
        one, same = (list(get_probe("generation").measure(view, items)) for _ in range(2))
        np.testing.assert_array_equal([r.value for r in one], [r.value for r in same])

    def test_no_room_to_write(self):
        with pytest.raises(DataError, match="nothing to go on with"):
            GenerationItems(self.STORIES, (), self.TOKENIZER, context=60)
