"""Layer freezing: what stays still, what goes on as before, and what the backward pass saves."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nucleate.core import RecipeError
from tests.unit.train.levers.conftest import counted, training

FAMILIES = ["llama", "neox", "mixtral"]


def _model(family: str, tied: bool) -> dict[str, Any]:
    sizes = {"layers": 4, "width": 32, "heads": 2, "context": 32}
    return {"family": family, "tie_embeddings": tied, **sizes}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_layers_stay_as_they_are(family: str, tied: bool) -> None:
    run = training(model=_model(family, tied))
    run.step()
    run.recipe.levers["freeze"].pull(run, 2)
    before = {name: p.clone() for name, p in run.model.named_parameters()}
    for _ in range(2):
        run.step()
    moved = {n for n, p in run.model.named_parameters() if not torch.equal(p, before[n])}
    embedding = next(n for n, p in run.model.named_parameters() if "embed" in n)
    still = {n for n in before if ".layers.0." in n or ".layers.1." in n}
    assert moved == before.keys() - still - (set() if tied else {embedding})


def test_the_rest_keeps_its_moments_and_what_thaws_begins_anew() -> None:
    run = training()
    for _ in range(3):
        run.step()
    top, low = (run.model.model.layers[i].input_layernorm.weight for i in (1, 0))
    before = run.optimizers["adamw"].state[top]["exp_avg"].clone()
    run.recipe.levers["freeze"].pull(run, 1)
    state = run.optimizers["adamw"].state
    assert torch.equal(state[top]["exp_avg"], before)
    assert low not in state
    run.recipe.levers["freeze"].pull(run, 0)
    run.step()
    state = run.optimizers["adamw"].state
    assert (state[low]["step"], state[top]["step"]) == (1, 4)
    assert not run.wrappers


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frozen", [1, 3])
def test_costs_agree_with_the_profiler(family: str, tied: bool, frozen: int) -> None:
    run = training(model=_model(family, tied))
    plain = run.ledger.costs
    run.recipe.levers["freeze"].pull(run, frozen)
    costs = run.ledger.costs
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)
    saved = 2 * (sum(plain.forward.values()) - plain.forward["head"]) * frozen / 4
    assert plain.backward - costs.backward == pytest.approx(saved, rel=1e-9)
    assert costs.forward == plain.forward
    assert costs.optimizer < plain.optimizer


def test_something_must_be_left_to_train() -> None:
    run = training()
    with pytest.raises(RecipeError, match="leaves no layer to train"):
        run.recipe.levers["freeze"].pull(run, 2)
