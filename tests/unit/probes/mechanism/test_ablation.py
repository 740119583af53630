"""Ablation in batches equals ablation one head at a time, and roles need both kinds of evidence."""

import copy

import numpy as np
import pytest
import torch

from nucleate.models.heads import attention_parts
from nucleate.models.interventions import ablated, mean_outputs
from nucleate.probes.mechanism.ablation import ablation_scores
from nucleate.probes.mechanism.behaviours import make_behaviour
from nucleate.probes.mechanism.head_scores import HeadScores
from nucleate.probes.mechanism.items import HeadItems, copying
from nucleate.probes.mechanism.roles import Role, Rule, assign_roles
from tests.unit.probes.mechanism.constructed import FAMILIES, rows, small


def made_items(number=5, length=20):
    ids_BT = rows(number, length)
    real_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    real_BT[-1, 15:] = False
    pairs = make_behaviour("pairs", [(0, 5, 3, (7,)), (1, 9, 2, (4, 6)), (1, 11, 5, (1,))])
    return HeadItems(ids_BT, real_BT, (), (copying(ids_BT.tolist()[:-1], 9), pairs), 8)


@torch.no_grad()
def one_by_one(model, items, means):
    """Loss of every behaviour and head, each from a pass of its own."""
    model = copy.deepcopy(model).eval()

    def score(asked):
        return asked.scores(model(items.ids_BT).logits[asked.row_Q, asked.place_Q])

    found = {}
    for asked in items.behaviours:
        found[asked.name] = np.zeros((3, 4))
        before = score(asked)
        for layer, head in np.ndindex(3, 4):
            with ablated(model, [(layer, head)], means):
                found[asked.name][layer, head] = (before - score(asked)).mean()
    return found


@pytest.mark.parametrize("instead", ["mean", "zero"])
@pytest.mark.parametrize("family", FAMILIES)
def test_all_heads_at_once_equal_each_on_its_own(family, instead):
    model, items = small(family), made_items()
    means = mean_outputs(model, items.ids_BT, items.real_BT) if instead == "mean" else None
    expected = one_by_one(model, items, means)
    for size in (40, 4096):  # two rows at a time, one head; then everything
        found = ablation_scores(model, items, instead=instead, batch_tokens=size)
        for name, values_LH in expected.items():
            np.testing.assert_allclose(found[name].values_LH, values_LH, atol=2e-5)
    assert np.abs(expected["pairs"]).max() > 0.05


def test_a_head_that_always_says_the_same_loses_nothing_by_saying_its_mean():
    model, items = small("llama"), made_items()
    attention = attention_parts(model)[1].attention
    attention.v_proj.weight.data[8:] = 0  # heads 2 and 3 share these values
    found = ablation_scores(model, items)["pairs"].values_LH
    assert found[1, 2] == pytest.approx(0, abs=1e-6)
    assert found[1, 3] == pytest.approx(0, abs=1e-6)
    assert abs(found[1, 0]) > 1e-3


def scores(name, values, se, chance=0.0, unit="fraction"):
    values = np.array(values, dtype=float)
    return HeadScores(name, values, np.full_like(values, se), chance, 50, unit)


def test_a_role_needs_attention_and_ablation():
    looks = scores("induction", [[0.9, 0.9, 0.05, 0.15]], 0.01, chance=0.05)
    needed = scores("ablation.copying", [[1.0, 0.0, 1.0, 1.0]], 0.05, unit="nats")
    found = assign_roles({"induction": looks}, {"copying": needed})
    # L0H1 is not needed, L0H2 looks elsewhere, L0H3 looks there by more than a tenth of .95.
    assert found == [Role("L0H0", "induction", 0.9, 1.0), Role("L0H3", "induction", 0.15, 1.0)]
    strict = Rule(excess=0.5)
    assert [x.head for x in assign_roles({"induction": looks}, {"copying": needed}, strict)] == [
        "L0H0"
    ]


def test_a_role_needs_more_than_luck():
    """Bonferroni over two heads at 1 %: 2.58 standard errors; and a size that matters."""
    looks = scores("name_mover", [[1.0, 1.0]], 0.01, unit="nats")
    needed = scores("ablation.holder", [[0.26, 0.25]], 0.1, unit="nats")
    found = assign_roles({"name_mover": looks}, {"holder": needed})
    assert [x.head for x in found] == ["L0H0"]
    tiny = scores("ablation.holder", [[0.015, 0.03]], 0.001, unit="nats")
    assert [x.head for x in assign_roles({"name_mover": looks}, {"holder": tiny})] == ["L0H1"]
    unknown = scores("ablation.holder", [[np.nan, 1.0]], np.nan, unit="nats")
    assert assign_roles({"name_mover": looks}, {"holder": unknown}) == []
