"""The co-occurrence start: counts, PMI and factors known in closed form, and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nucleate.core import RecipeError
from nucleate.train.levers.cooccurrence import (
    PART,
    neighbours,
    positive_pmi,
    symmetric_factor,
    two_factors,
)
from tests.unit.train.levers.conftest import training, workload


class Round:
    """Shards of 0 1 2 3 0 1 2 3 …, cut where it does not suit."""

    def shard(self, index: int) -> np.ndarray:
        return (np.arange(5 * index, 5 * index + 5) % 4).astype(np.int64)


def test_pairs_across_shards_are_counted_and_no_more_than_asked_for() -> None:
    counts = neighbours(Round(), 4, 13)
    assert counts.tolist() == [[0, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0, 3], [3, 0, 0, 0]]


def test_pmi_of_a_round_is_log_4_for_the_next_token_and_0_elsewhere() -> None:
    expected = math.log(4) * np.roll(np.eye(4), 1, axis=1)
    np.testing.assert_allclose(positive_pmi(neighbours(Round(), 4, 13)), expected, atol=1e-12)


def test_independent_tokens_have_no_pmi() -> None:
    p = np.array([0.5, 0.3, 0.2])
    assert positive_pmi(1000 * np.outer(p, p)).max() < 1e-12


def test_the_symmetric_factor_of_a_round_is_its_one_positive_eigenvector() -> None:
    """Eigenvalues of (R + Rᵀ)/2 log 4 are log 4 cos(2πk/4): log 4, 0, −log 4, 0."""
    factor = symmetric_factor(math.log(4) * np.roll(np.eye(4), 1, axis=1), 6)
    assert factor.shape == (4, 6)
    np.testing.assert_allclose(factor @ factor.T, np.full((4, 4), math.log(4) / 4), atol=1e-12)


def test_two_factors_give_the_matrix_back_and_its_best_approximation() -> None:
    matrix = np.diag([4.0, 2.0, 1.0]) @ np.roll(np.eye(3), 1, axis=1)
    left, right = two_factors(matrix, 5)
    np.testing.assert_allclose(left @ right.T, matrix, atol=1e-12)
    left, right = two_factors(matrix, 2)
    assert np.linalg.norm(matrix - left @ right.T) == pytest.approx(1.0)  # Eckart and Young


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_are_set_to_the_size_asked_for_and_the_rest_stays(tied: bool) -> None:
    model = {"layers": 2, "width": 16, "heads": 2, "context": 32, "tie_embeddings": tied}
    run, plain = training(model=model), training(model=model)
    run.recipe.levers["cooccurrence"].pull(run, 0.05)
    ends = {id(run.model.get_input_embeddings().weight), id(run.model.lm_head.weight)}
    assert len(ends) == 2 - tied
    others = dict(plain.model.named_parameters())
    for name, weight in run.model.named_parameters():
        if id(weight) in ends:
            assert float(weight.pow(2).mean().sqrt().detach()) == pytest.approx(0.05, rel=1e-5)
        else:
            assert torch.equal(weight, others[name])


def test_seeds_turn_the_same_factor() -> None:
    grams = []
    for seed in (1, 2):
        run = training(seed=seed)
        run.recipe.levers["cooccurrence"].pull(run, 0.05)
        weight = run.model.get_input_embeddings().weight.detach()
        grams.append((weight, weight @ weight.T))
    assert not torch.allclose(grams[0][0], grams[1][0], atol=1e-3)
    torch.testing.assert_close(grams[0][1], grams[1][1], atol=1e-6, rtol=1e-4)


def test_it_is_booked_once() -> None:
    run = training()
    before = run.ledger.total
    run.recipe.levers["cooccurrence"].pull(run, 0.05)
    size = len(workload().tokenizer)
    spent = run.recipe.tokens + 9 * size**3
    assert run.ledger.parts()[PART] == spent
    assert run.ledger.total - before == spent
    run.step()
    assert run.ledger.parts()[PART] == spent


def test_it_comes_first_or_not_at_all() -> None:
    run = training()
    run.step()
    with pytest.raises(RecipeError, match="cooccurrence comes too late"):
        run.recipe.levers["cooccurrence"].refuse(run, 0.05)
    run.recipe.levers["cooccurrence"].refuse(run, 0)
