"""Depth growth: the same function when it happens, and moments that follow their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nucleate.core import RecipeError
from nucleate.models import find_checkpoints, load_checkpoint
from nucleate.train.levers.depth import origins
from nucleate.train.training import Training
from tests.unit.train.levers.conftest import counted, loop_in, short, training

FAMILIES = ["llama", "neox", "mixtral"]


def deep(family: str, **changes: Any) -> Training:
    """Return a run whose recipe has 5 layers, pulled down to 2."""
    lever = {"kind": "depth", **changes.pop("lever", {})}
    model = {"family": family, "layers": 5, "width": 16, "heads": 2, "context": 32}
    levers = {"depth": lever, "freeze": {"kind": "freeze"}}
    run = training(model=model, levers=levers, **changes)
    run.recipe.levers["depth"].pull(run, 2)
    return run


def logits(run: Training) -> torch.Tensor:
    ids = torch.randint(run.vocabulary, (3, 16), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        answers: torch.Tensor = run.model(ids).logits
    return answers


def test_origins() -> None:
    assert origins(2, 4, "interleave") == [0, 0, 1, 1]
    assert origins(2, 5, "interleave") == [0, 0, 0, 1, 1]
    assert origins(3, 4, "interleave") == [0, 0, 1, 2]
    assert origins(3, 6, "top") == [0, 1, 2, 0, 1, 2]
    assert origins(4, 6, "interleave", frozen=2) == [0, 1, 2, 2, 3, 3]
    assert origins(4, 2, "interleave") == [0, 1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("init", ["copy", "fresh"])
@pytest.mark.parametrize("stack", ["interleave", "top"])
@pytest.mark.parametrize("steps", [0, 6])
def test_logits_are_the_same_at_the_moment_of_growth(
    family: str, init: str, stack: str, steps: int
) -> None:
    run = deep(family, lever={"init": init, "stack": stack})
    for _ in range(steps):
        run.step()
    before = logits(run)
    run.recipe.levers["depth"].pull(run, 5)
    assert len(run.model.base_model.layers) == run.model.config.num_hidden_layers == 5
    torch.testing.assert_close(logits(run), before, rtol=0, atol=1e-5)
    for _ in range(2):
        run.step()
    assert (logits(run) - before).abs().max() > 1e-4  # and what is new does learn


@pytest.mark.parametrize("family", FAMILIES)
def test_new_layers_learn_soon(family: str) -> None:
    """Zero output projections get gradients at once, what lies before them one step later."""
    run = deep(family, lever={"stack": "top", "init": "fresh"})
    run.recipe.levers["depth"].pull(run, 3)
    layer = run.model.base_model.layers[2]
    start = {name: p.clone() for name, p in layer.named_parameters()}
    for _ in range(3):
        run.step()
    still = [name for name, p in layer.named_parameters() if torch.equal(p, start[name])]
    assert not still


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_moments_follow_weights_and_zeroed_matrices_begin_without(optimizer: str) -> None:
    run = deep("llama", optimizer={"kind": optimizer})
    for _ in range(4):
        run.step()
    old = dict(run.model.named_parameters())
    before = {name: _moments(run, parameter) for name, parameter in old.items()}
    run.recipe.levers["depth"].pull(run, 4)  # 0 0' 1 1'
    for name, parameter in run.model.named_parameters():
        layer = int(name.split(".")[2]) if ".layers." in name else None
        origin = name if layer is None else name.replace(f".{layer}.", f".{layer // 2}.", 1)
        now = _moments(run, parameter)
        if layer in (1, 3) and ("o_proj" in name or "down_proj" in name):
            assert not now
            assert not parameter.any()
        else:
            assert torch.equal(parameter, old[origin])
            assert now.keys() == before[origin].keys() != set()
            assert all(torch.equal(now[key], before[origin][key]) for key in now)


def _moments(run: Training, parameter: Any) -> dict[str, Any]:
    for optimizer in run.optimizers.values():
        if parameter in optimizer.state:
            return {k: torch.as_tensor(v) for k, v in optimizer.state[parameter].items()}
    return {}


def test_copies_learn_apart_from_what_they_were_copied_from() -> None:
    run = deep("llama")
    for _ in range(2):
        run.step()
    run.recipe.levers["depth"].pull(run, 4)
    for _ in range(3):
        run.step()
    one, copy = (run.model.model.layers[i].self_attn.q_proj.weight for i in (0, 1))
    assert not torch.equal(one, copy)


def test_shallow_layers_are_the_recipes_own() -> None:
    """Pulled down before the first token, the lowest layers and the rest keep their weights."""
    model = {"layers": 5, "width": 16, "heads": 2, "context": 32}
    whole = training(model=model).model.state_dict()
    shallow = deep("llama").model.state_dict()
    assert len(shallow) < len(whole)
    assert all(torch.equal(value, whole[name]) for name, value in shallow.items())


def test_every_expert_layer_is_balanced_after_growth() -> None:
    """`transformers` collects router logits through hooks, which new layers must have too."""
    run = deep("mixtral", lever={"init": "fresh"})
    run.step()
    run.recipe.levers["depth"].pull(run, 5)
    ids = torch.zeros((1, 8), dtype=torch.long)
    assert len(run.model(ids, output_router_logits=True).router_logits) == 5


@pytest.mark.parametrize("family", FAMILIES)
def test_costs_agree_with_the_profiler_before_and_after(family: str) -> None:
    run = deep(family)
    shallow, profiled = counted(run)
    assert shallow == pytest.approx(profiled, rel=0.01)
    run.recipe.levers["depth"].pull(run, 5)
    grown, profiled = counted(run)
    assert grown == pytest.approx(profiled, rel=0.01)
    assert grown > shallow


def test_depth_that_cannot_be_is_refused() -> None:
    run = deep("llama")
    lever = run.recipe.levers["depth"]
    with pytest.raises(RecipeError, match="more layers than the recipe's model has"):
        lever.pull(run, 6)
    run.recipe.levers["freeze"].pull(run, 1)
    with pytest.raises(RecipeError, match="leaves no layer to train"):
        lever.pull(run, 1)
    run.step()
    lever.pull(run, 3)
    with pytest.raises(RecipeError, match="once training has begun"):
        lever.pull(run, 2)


def test_growth_above_frozen_layers_leaves_them_alone() -> None:
    run = deep("llama")
    run.recipe.levers["freeze"].pull(run, 1)
    run.recipe.levers["depth"].pull(run, 4)
    trained = [{p.requires_grad for p in layer.parameters()} for layer in run.model.model.layers]
    assert trained == [{False}, {True}, {True}, {True}]


def test_observer_and_checkpoints_follow_the_model(tmp_path: Path) -> None:
    model = {"layers": 3, "width": 16, "heads": 2, "context": 32}
    probes = {"per_decade": 6, "first_tokens": 32, "cost_cap": 50, "items": 8}
    recipe = short(tokens=256, model=model, checkpoints_per_decade=8, probes=probes)
    with loop_in(tmp_path / "run", recipe, observed=True) as loop:
        loop.pull("depth", 1)
        for step in range(8):
            if step == 4:
                loop.pull("depth", 3)
            loop.advance()
        last = loop.training.model.state_dict()
        assert not loop.observer.state()["failures"]
        assert loop.observer.flops > 0
    checkpoints = [
        load_checkpoint(path).model
        for _, path in find_checkpoints(tmp_path / "run" / "checkpoints")
    ]
    layers = [checkpoint.config.num_hidden_layers for checkpoint in checkpoints]
    assert set(layers) == {1, 3}
    assert layers == sorted(layers)
    saved = checkpoints[-1].state_dict()
    assert all(torch.equal(saved[name], last[name]) for name in last)
