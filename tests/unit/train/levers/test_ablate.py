"""Heads held out of training: what they say, that nothing is learned by them, and refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from nucleate.core import RecipeError
from nucleate.models.activations import read_layers
from nucleate.models.interventions import averaged_heads
from tests.unit.train.levers.conftest import short, training

ONE = {"knife": {"kind": "ablate", "heads": ["L1H0"]}}


def test_an_averaged_head_says_its_mean_at_every_position_and_no_other_head_changes() -> None:
    run = training(levers=ONE)
    ids_BT = torch.arange(12).reshape(2, 6)
    plain, inside = [], []
    read_layers(run.model, ids_BT, lambda layer: plain.append(layer.z_BTHK.clone()))
    parts = run.model.model.layers[1].self_attn.o_proj
    with averaged_heads(run.model, [(1, 0)]):
        hook = parts.register_forward_pre_hook(lambda _, args: inside.append(args[0].clone()))
        run.model(input_ids=ids_BT)
        hook.remove()
    z_BTHK = inside[0].unflatten(-1, (2, -1))
    mean_K = plain[1][:, :, 0].mean((0, 1))
    assert torch.allclose(z_BTHK[:, :, 0], mean_K.expand(2, 6, -1), atol=1e-6)
    assert torch.allclose(z_BTHK[:, :, 1], plain[1][:, :, 1], atol=1e-6)


def test_nothing_is_learned_by_a_head_that_is_held_out() -> None:
    run = training(levers=ONE, optimizer={"weight_decay": 0.0, "kind": "adamw"})
    run.recipe.levers["knife"].pull(run, True)
    attention = run.model.model.layers[1].self_attn
    before = {n: p.clone() for n, p in attention.named_parameters()}
    run.step()
    width = attention.head_dim
    for name in ("q_proj", "k_proj", "v_proj"):
        old, new = before[f"{name}.weight"], getattr(attention, name).weight
        assert torch.equal(old[:width], new[:width]), name
        assert not torch.equal(old[width:], new[width:]), name


def test_probes_see_all_heads_and_letting_back_leaves_nothing_behind() -> None:
    run = training(levers=ONE)
    ids_BT = torch.arange(12).reshape(2, 6)
    before = run.model(input_ids=ids_BT).logits
    run.recipe.levers["knife"].pull(run, True)
    run.loss(ids_BT)
    assert torch.equal(run.model(input_ids=ids_BT).logits, before)
    assert list(run.wrappers) == ["ablate L1H0"]
    run.recipe.levers["knife"].pull(run, False)
    assert not run.wrappers


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(ValidationError, match="'L1' is no head; expected layer and number"):
        training(levers={"knife": {"kind": "ablate", "heads": ["L1"]}})
    run = training(levers={"knife": {"kind": "ablate", "heads": ["L2H0"]}})
    with pytest.raises(RecipeError, match="names a head that is not there"):
        run.recipe.levers["knife"].pull(run, True)
    compiled: Any = SimpleNamespace(recipe=short(levers=ONE, compile=True))
    with pytest.raises(RecipeError, match="cannot reach into a compiled model"):
        compiled.recipe.levers["knife"].refuse(compiled, True)
    compiled.recipe.levers["knife"].refuse(compiled, False)
