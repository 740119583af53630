"""Token coarsening: the loss by hand, the plain objective at one token, and what it costs."""

from __future__ import annotations

import math

import pytest
import torch

from nucleate.core import RecipeError
from nucleate.models import ModelSettings, build
from nucleate.train.levers.coarsen import patch_embeddings, patch_loss, patch_objective
from nucleate.train.training import model_outputs, next_token_loss
from tests.unit.train.levers.conftest import counted, training

FAMILIES = ["llama", "neox", "mixtral"]


def test_the_loss_of_a_known_distribution_by_hand() -> None:
    """Three patches of two tokens; what stands after the first predicts tokens 2 and 3, and so on.

    Probabilities of tokens 0, 1, 2 are 1/2, 1/4, 1/4 after the first patch, 1/8, 1/8, 3/4 after
    the second; what stands after the third predicts nothing.
    """
    logits_BPV = torch.tensor([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [9.0, 1, 1]]]).log()
    ids_BT = torch.tensor([[2, 2, 0, 1, 2, 1]])
    by_hand = (math.log(2) + math.log(4) - math.log(0.75) + math.log(8)) / 4
    assert patch_loss(logits_BPV, ids_BT, 2).item() == pytest.approx(by_hand, rel=1e-6)


def test_a_patch_enters_as_the_mean_of_its_tokens() -> None:
    model = build(ModelSettings(layers=1, width=16, heads=2), 7, 0)
    table = model.get_input_embeddings().weight
    entered = patch_embeddings(model, torch.tensor([[3, 5, 0, 0, 6, 1]]), 2)
    expected = torch.stack([(table[3] + table[5]) / 2, table[0], (table[6] + table[1]) / 2])
    torch.testing.assert_close(entered[0], expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_patches_of_one_token_are_the_plain_objective_exactly(family: str) -> None:
    model = build(ModelSettings(family=family, layers=2, width=16, heads=2), 50, 0)
    ids = torch.randint(50, (3, 12), generator=torch.Generator().manual_seed(1))
    plain, balance = next_token_loss(model, ids)
    output, extra = model_outputs(model, inputs_embeds=patch_embeddings(model, ids, 1))
    assert patch_loss(output.logits, ids, 1).item() == plain.item()
    assert torch.equal(torch.as_tensor(extra), torch.as_tensor(balance))
    assert patch_objective(1) is next_token_loss


def test_the_head_may_see_a_patch_only_after_it() -> None:
    """Changing tokens of the last patch changes what it asks for, never what was predicted."""
    model = build(ModelSettings(layers=2, width=16, heads=2), 50, 0)
    ids = torch.randint(50, (1, 12), generator=torch.Generator().manual_seed(1))
    other = ids.clone()
    other[0, 8:] = (other[0, 8:] + 1) % 50
    answers = [model(inputs_embeds=patch_embeddings(model, i, 4)).logits for i in (ids, other)]
    assert torch.equal(answers[0][:, :2], answers[1][:, :2])
    assert not torch.equal(answers[0][:, 2], answers[1][:, 2])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [2, 4])
def test_costs_agree_with_the_profiler(family: str, size: int) -> None:
    run = training(model={"family": family, "layers": 2, "width": 32, "heads": 2, "context": 32})
    plain = run.ledger.costs.per_token
    run.recipe.levers["coarsen"].pull(run, size)
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)
    assert modelled < plain / size  # the scores are over fewer positions too


def test_rows_stay_whole() -> None:
    run = training()
    lever = run.recipe.levers["coarsen"]
    for size in (3, 16, 32):
        with pytest.raises(RecipeError, match="leaves part of a row over"):
            lever.pull(run, size)
    lever.pull(run, 4)
    for length in (2, 4):
        with pytest.raises(RecipeError, match="several patches of 4"):
            run.recipe.levers["sequence"].pull(run, length)
