"""Sequence length and batch size: the same tokens in batches of another shape."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import RecipeError
from tests.unit.train.levers.conftest import counted, training


def test_a_batch_keeps_its_tokens_and_their_order() -> None:
    run, other = training(), training()
    run.recipe.levers["sequence"].pull(run, 8)
    for _ in range(3):
        short, plain = run.stream.next(), other.stream.next()
        assert short.shape == (4, 8)
        np.testing.assert_array_equal(short.ravel(), plain.ravel())


def test_only_attention_scores_get_cheaper_in_short_rows() -> None:
    run = training()
    plain = dict(run.ledger.costs.forward)
    run.recipe.levers["sequence"].pull(run, 8)
    now = dict(run.ledger.costs.forward)
    assert now.pop("attention_scores") == plain.pop("attention_scores") / 2
    assert now == plain
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)


def test_rows_that_do_not_fit_are_refused() -> None:
    run = training()
    lever = run.recipe.levers["sequence"]
    with pytest.raises(RecipeError, match="leaves part of a batch over"):
        lever.pull(run, 12)
    run.recipe.levers["batch"].pull(run, 4)
    with pytest.raises(RecipeError, match="too long for the model"):
        lever.pull(run, 64)
    assert lever.pull(run, 32) == "batches of 2 × 32 tokens"


@pytest.mark.parametrize(("lr", "factor"), [("constant", 1), ("sqrt", 2), ("linear", 4)])
def test_peak_rates_follow_the_batch(lr: str, factor: float) -> None:
    schedule = {"kind": "constant", "warmup_tokens": 0}
    run = training(levers={"batch": {"kind": "batch", "lr": lr}}, schedule=schedule)
    plain = run.step()[2]
    run.recipe.levers["batch"].pull(run, 8)
    before = run.tokens
    assert run.step()[2] == pytest.approx(factor * plain, rel=1e-12)
    assert run.tokens - before == 8 * 16


def test_the_ledger_counts_steps_and_tokens_apart() -> None:
    """Twice the rows: the same cost a token, half the optimiser steps."""
    run = training()
    costs = run.ledger.costs
    run.step()
    run.recipe.levers["batch"].pull(run, 4)
    run.step()
    assert run.ledger.total == pytest.approx(96 * costs.per_token + 2 * costs.optimizer, rel=1e-12)
