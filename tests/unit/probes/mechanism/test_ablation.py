"""Ablation in batches equals ablation one head at a time."""

import copy

import numpy as np
import pytest
import torch

from nucleate.models.heads import attention_parts
from nucleate.models.interventions import ablated, mean_outputs
from nucleate.probes.mechanism.ablation import ablation_scores
from nucleate.probes.mechanism.behaviours import make_behaviour
from nucleate.probes.mechanism.items import HeadItems, copying
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
@pytest.mark.parametrize("family", [*FAMILIES, "olmo2", "gemma2", "granite"])
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
