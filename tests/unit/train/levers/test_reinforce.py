"""Attention-circuit reinforcement: the patterns and the loss by hand, and that heads follow."""

from __future__ import annotations

import math

import pytest
import torch

from nucleate.core import RecipeError
from nucleate.models import ModelSettings, build
from nucleate.train.levers.reinforce import (
    after_previous_occurrence,
    pattern_loss,
    previous_token,
    visible_attention,
)
from nucleate.train.training import Training
from tests.unit.train.levers.conftest import counted, training

FAMILIES = ["llama", "neox", "mixtral"]


def test_patterns_by_hand() -> None:
    ids = torch.tensor([[5, 7, 5, 7, 5, 9]])
    targets, there = previous_token(ids)
    assert there.tolist() == [[False, True, True, True, True, True]]
    assert targets[there].tolist() == [0, 1, 2, 3, 4]
    targets, there = after_previous_occurrence(ids)
    assert there.tolist() == [[False, False, True, True, True, False]]
    assert targets[there].tolist() == [1, 2, 3]  # the last occurrence before, not the first


def test_the_loss_is_that_of_the_best_heads() -> None:
    """Two layers of two heads, one target: attention to it is .1, .5, .8 and .2."""
    layers = []
    for first, second in ((0.1, 0.5), (0.8, 0.2)):
        weights = torch.zeros(1, 2, 2, 2)
        weights[0, :, 1, 0] = torch.tensor([first, second])
        layers.append(weights)
    targets, there = previous_token(torch.tensor([[3, 3]]))
    for heads, by_hand in ((1, -math.log(0.8)), (2, -(math.log(0.8) + math.log(0.5)) / 2)):
        loss = pattern_loss(layers, targets, there, heads)
        assert loss.item() == pytest.approx(by_hand, rel=1e-4)
    nowhere = torch.zeros_like(there)
    assert pattern_loss(layers, targets, nowhere, 1).item() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_is_seen_and_hidden_again(family: str) -> None:
    model = build(ModelSettings(family=family, layers=3, width=16, heads=2), 50, 0)
    ids = torch.randint(50, (2, 7), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = model(ids).logits
        with visible_attention(model, {0, 2}) as seen:
            torch.testing.assert_close(model(ids).logits, plain)
        again = model(ids).logits
    assert sorted(seen) == [0, 2]
    assert seen[2].shape == (2, 2, 7, 7)
    torch.testing.assert_close(seen[2].sum(-1), torch.ones(2, 2, 7))
    assert not seen[0].triu(1).any()
    assert torch.equal(again, plain)


def test_heads_follow_the_pull_and_the_reported_loss_stays_the_plain_one() -> None:
    """Attention begins uniform, and only the pull makes a head attend to the previous token.

    Uniform attention of token i (from 0) over i + 1 tokens gives the previous one 1 / (i + 1).
    """
    settings = {
        "schedule": {"kind": "constant", "warmup_tokens": 0},
        "optimizer": {"kind": "adamw", "lr": 0.01},
    }
    run, plain = training(**settings), training(**settings)
    ids = torch.from_numpy(training(seed=1).stream.next())
    uniform = sum(1 / (i + 1) for i in range(1, 16)) / 15
    assert _mass(run, ids) == pytest.approx(uniform, abs=0.01)
    run.recipe.levers["reinforce"].pull(run, 100)
    assert run.step()[0] == pytest.approx(plain.step()[0], rel=1e-6)
    for _ in range(80):
        run.step()
        plain.step()
    assert _mass(plain, ids) < 1.5 * uniform
    assert _mass(run, ids) > 2.5 * uniform


def _mass(run: Training, ids: torch.Tensor) -> float:
    model = run.model
    with torch.no_grad(), visible_attention(model, {0}) as seen:
        model(ids)
    best: float = seen[0].diagonal(-1, 2, 3).mean(-1).mean(0).max().item()
    return best


@pytest.mark.parametrize("family", FAMILIES)
def test_no_product_is_added_and_elementwise_work_is_booked(family: str) -> None:
    run = training(model={"family": family, "layers": 2, "width": 32, "heads": 2, "context": 32})
    plain = run.ledger.costs
    run.recipe.levers["reinforce"].pull(run, 0.1)
    costs = run.ledger.costs
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)
    # Compare with 16 tokens (3 operations each); two layers of two heads, 2 × 16 + 4 each.
    assert costs.extra == {"reinforce": 3 * 16 + 2 * 2 * 36}
    assert costs.per_token == plain.per_token + 192
    run.step()
    assert run.ledger.parts()["reinforce"] == 192 * 32


def test_it_waits_while_tokens_are_coarse() -> None:
    run, other = training(), training()
    for training_ in (run, other):
        training_.recipe.levers["coarsen"].pull(training_, 4)
    run.recipe.levers["reinforce"].pull(run, 1.0)
    assert [run.step() for _ in range(2)] == [other.step() for _ in range(2)]
    assert run.ledger.total == other.ledger.total


def test_what_cannot_be_reinforced_is_refused() -> None:
    lever = {"kind": "reinforce", "induction": [2]}
    run = training(levers={"reinforce": lever})
    with pytest.raises(RecipeError, match="names a layer that is not there"):
        run.recipe.levers["reinforce"].pull(run, 1)


def test_one_pattern_can_be_left_alone() -> None:
    """Without induction only the previous token pulls, and nothing is compared with the row."""
    alone = training(levers={"reinforce": {"kind": "reinforce", "induction": []}})
    alone.recipe.levers["reinforce"].pull(alone, 0.1)
    assert alone.recipe.levers["reinforce"].layers(2) == ((0,), ())
    assert alone.ledger.costs.extra == {"reinforce": 2 * 36}
    ids = torch.from_numpy(training(seed=1).stream.next())
    wrapped = alone.wrappers["reinforce"].around(lambda model, ids: (model(ids).logits.mean(), 0.0))
    _, extra = wrapped(alone.model, ids)
    with visible_attention(alone.model, {0}) as seen:
        alone.model(ids)
    expected = 0.1 * pattern_loss([seen[0]], *previous_token(ids), 1)
    assert extra.item() == pytest.approx(expected.item(), rel=1e-6)
    with pytest.raises(ValueError, match="nothing would be pulled"):
        training(levers={"reinforce": {"kind": "reinforce", "induction": [], "previous": []}})


def test_two_in_one_recipe_add_up() -> None:
    """One pulls towards the previous token and one towards induction: together they do both."""
    levers = {
        "back": {"kind": "reinforce", "previous": [0], "induction": []},
        "copy": {"kind": "reinforce", "previous": [], "induction": [1]},
    }
    run = training(levers=levers)
    ids = torch.from_numpy(training(seed=1, levers=levers).stream.next())
    extras = {}
    for pulls in ({"back": 0.3}, {"back": 0.0, "copy": 0.2}, {"back": 0.3, "copy": 0.2}):
        for name, to in pulls.items():
            run.recipe.levers[name].pull(run, to)
        extras[tuple(pulls.values())] = run.loss(ids)[1].item()
    assert extras[0.3, 0.2] == pytest.approx(extras[0.3,] + extras[0.0, 0.2], rel=1e-5)
    assert min(extras[0.3,], extras[0.0, 0.2]) > 0.1
    assert sorted(run.wrappers) == ["reinforce back", "reinforce copy"]
    run.recipe.levers["back"].pull(run, 0)
    assert run.loss(ids)[1].item() == pytest.approx(extras[0.0, 0.2], rel=1e-5)
