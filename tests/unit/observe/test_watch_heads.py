"""Heads, and what else is inside, looked at in a training loop that somebody else wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.observe.texts import TEXTS
from transformers import BloomConfig, BloomForCausalLM

from nucleate.core import UserError
from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.models import ModelSettings, build
from nucleate.observe.held_out import looks_at_texts
from nucleate.observe.schedule import HEADS_SHARE, ProbeSettings
from nucleate.observe.watch import watch
from nucleate.probes.mechanism.scores import head_scores
from nucleate.probes.suites import Suite
from nucleate.store import Run

LOOKS = ProbeSettings(
    first_tokens=1000, items=16, cost_cap=50, heads_per_decade=4, inside=("geometry", "lens")
)
STEPS, TOKENS = 8, 32
SUITE = Suite("none", (), {})


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return bpe_tokenizer(TEXTS, vocab_size=300)


def train(tokenizer: Any, run: Path | None, **options: Any) -> Any:
    """Train a model with dropout, watched or not; return it with its next random number."""
    torch.manual_seed(5)
    model = build(ModelSettings(layers=2, width=16, heads=2, context=64), len(tokenizer), 0)
    model.train()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session = watch(model, tokenizer, run=run, texts=TEXTS, context=64, **options) if run else None
    for _ in range(STEPS):
        ids = torch.randint(0, 300, (2, TOKENS // 2))
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if session:
            session.step(loss=loss.item(), tokens=1000)
    if session:
        session.close()
    return model, torch.rand(3)


@pytest.mark.parametrize("planned", [True, False], ids=["length known", "length unknown"])
def test_heads_are_looked_at_and_nothing_changes(
    tmp_path: Path, tokenizer: Any, planned: bool
) -> None:
    options = {"total_tokens": STEPS * 1000} if planned else {}
    watched, next_one = train(tokenizer, tmp_path / "run", probes=LOOKS, **options)
    plain, plain_next = train(tokenizer, None)
    assert all(map(torch.equal, watched.state_dict().values(), plain.state_dict().values()))
    assert torch.equal(next_one, plain_next)
    run = Run.open(tmp_path / "run")
    history = run.heads()
    assert history.roles == ("previous token", "induction")
    assert history.values("induction").shape == (len(history.steps), 2, 2)
    curves = run.curves()
    looked = [step.tokens for step in history.steps]
    assert len(looked) >= 3
    for metric in ("heads.induction.max", "geometry.L1.rankme", "lens.L0.kl"):
        assert curves[metric].tokens.tolist() == looked
    assert len(curves["ngram.bigram.kl"].values) > len(looked)


def test_the_last_look_is_what_the_model_gives_alone(tmp_path: Path, tokenizer: Any) -> None:
    model, _ = train(tokenizer, tmp_path / "run", probes=LOOKS, total_tokens=STEPS * 1000)
    history = Run.open(tmp_path / "run").heads()
    assert history.steps[-1].tokens == STEPS * 1000
    suite = looks_at_texts(TEXTS, tokenizer, LOOKS, 64, model)
    assert suite is not None
    items = next(items for probe, items in suite.parts if probe.name == "heads")
    alone = head_scores(model, items)
    for name in ("previous_token", "induction"):
        np.testing.assert_array_equal(history.values(name)[-1], alone[name].values_LH)


def test_looks_take_half_of_the_cap_at_most(tmp_path: Path, tokenizer: Any) -> None:
    tight = ProbeSettings(first_tokens=1000, items=16, cost_cap=40, heads_per_decade=200)
    train(tokenizer, tmp_path / "run", probes=tight, total_tokens=STEPS * 1000)
    run = Run.open(tmp_path / "run")
    suite = looks_at_texts(TEXTS, tokenizer, tight, 64, train(tokenizer, None)[0])
    assert suite is not None
    parts = {entry.part: entry.flops for entry in run.ledger()}
    trained = parts["training, matrix products"]
    each = suite.forward_tokens * trained / 3 / (STEPS * 1000)
    taken = len(run.heads().steps) * each
    assert 0 < taken <= HEADS_SHARE * 40 * trained
    assert taken < parts["probes"] <= 40 * trained


def test_what_cannot_be_looked_at_is_one_line(tmp_path: Path, tokenizer: Any) -> None:
    model = build(ModelSettings(layers=1, width=16, heads=2, context=64), len(tokenizer), 0)

    def refused(what: Any, words: str, **options: Any) -> None:
        given = {"texts": TEXTS, "context": 64, "probes": LOOKS, "run": tmp_path / "run"}
        with pytest.raises(UserError, match=words):
            watch(what, tokenizer, **(given | options))
        assert not (tmp_path / "run").exists()

    refused(model, "room for a string that is repeated", context=48, suite=SUITE)
    refused(model, "need held-out texts", texts=(), suite=SUITE)
    routers = ProbeSettings(heads_per_decade=4, inside=("routers",))
    refused(model, "the model has no experts", probes=routers)
    shape = {"hidden_size": 16, "n_layer": 1, "n_head": 2, "vocab_size": 300}
    refused(BloomForCausalLM(BloomConfig(**shape)), "heads of this architecture are not known")
