"""Expert upcycling: the same function with experts, and moments where shapes allow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nucleate.core import RecipeError
from nucleate.train.training import next_token_loss
from tests.unit.train.levers.conftest import counted, end, loop_in, short, training


@pytest.mark.parametrize(("experts", "active"), [(4, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("steps", [0, 5])
def test_logits_are_the_same_at_that_moment(
    experts: int, active: int, tied: bool, steps: int
) -> None:
    model = {"layers": 2, "width": 16, "heads": 4, "kv_heads": 2, "context": 32}
    lever = {"kind": "upcycle", "active": active}
    run = training(model={**model, "tie_embeddings": tied}, levers={"upcycle": lever})
    for _ in range(steps):
        run.step()
    ids = torch.from_numpy(run.stream.next())
    with torch.no_grad():
        before, plain = run.model(ids).logits, next_token_loss(run.model, ids)[0]
        run.recipe.levers["upcycle"].pull(run, experts)
        after, loss = run.model(ids).logits, next_token_loss(run.model, ids)[0]
    assert run.model.config.model_type == "mixtral"
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert loss.item() == pytest.approx(plain.item(), abs=1e-5)


def test_experts_part_ways() -> None:
    run = training()
    run.recipe.levers["upcycle"].pull(run, 4)
    for _ in range(4):
        run.step()
    experts = run.model.model.layers[0].mlp.experts.down_proj
    assert not torch.equal(experts[0], experts[1])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_all_but_experts_and_routers_keep_their_moments(optimizer: str) -> None:
    run = training(optimizer={"kind": optimizer})
    for _ in range(3):
        run.step()
    before = {
        name: {k: torch.as_tensor(v).clone() for k, v in opt.state[parameter].items()}
        for opt in run.optimizers.values()
        for name, parameter in run.model.named_parameters()
        if parameter in opt.state
    }
    run.recipe.levers["upcycle"].pull(run, 4)
    kept = set()
    for optimizer_ in run.optimizers.values():
        for name, parameter in run.model.named_parameters():
            if parameter in optimizer_.state:
                kept.add(name)
                now = optimizer_.state[parameter]
                assert all(torch.equal(torch.as_tensor(now[k]), v) for k, v in before[name].items())
    assert kept == {name for name in before if ".mlp." not in name}


def test_costs_agree_with_the_profiler() -> None:
    run = training(model={"layers": 2, "width": 32, "heads": 2, "context": 32})
    dense = run.ledger.costs.forward
    run.recipe.levers["upcycle"].pull(run, 4)
    sparse = run.ledger.costs.forward
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)
    assert sparse["mlp"] == 2 * dense["mlp"]
    assert sparse["router"] == 2 * 2 * 32 * 4


def test_a_run_goes_on_bit_by_bit_after_it(tmp_path: Path) -> None:
    recipe = short(tokens=320)
    with loop_in(tmp_path / "whole", recipe) as whole:
        for step in range(10):
            if step == 3:
                whole.pull("upcycle", 4)
            whole.advance()
            if step == 6:
                whole.save()
        with loop_in(tmp_path / "cut", recipe) as cut:
            (tmp_path / "cut" / "resume").symlink_to(tmp_path / "whole" / "resume")
            cut.resume()
            for _ in range(3):
                cut.advance()
        assert end(cut) == end(whole)


def test_what_is_no_dense_llama_is_refused() -> None:
    run = training(model={"family": "neox", "layers": 1, "width": 16, "heads": 2, "context": 32})
    with pytest.raises(RecipeError, match="needs a dense llama"):
        run.recipe.levers["upcycle"].pull(run, 4)
    run = training(levers={"upcycle": {"kind": "upcycle", "active": 4}})
    with pytest.raises(RecipeError, match="makes too few experts"):
        run.recipe.levers["upcycle"].pull(run, 2)
