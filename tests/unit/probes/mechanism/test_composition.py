"""Composition: against its definition written out, and for maps that fit or miss each other."""

import numpy as np
import pytest
import torch

from nucleate.models import ModelSettings, build
from nucleate.models.heads import head_weights
from nucleate.probes.mechanism.composition import composition, random_share
from tests.unit.probes.mechanism.constructed import FAMILIES, small


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_are_those_of_the_definition(family):
    """‖W_QKᵀ W_OV‖ / (‖W_QK‖ ‖W_OV‖) and its kin, with whole D × D matrices."""
    model = small(family)
    found = {x.kind: x for x in composition(model)}
    (early, late) = (head_weights(model, layer) for layer in (0, 2))
    for a, b in np.ndindex(4, 4):
        # On column vectors, as in Elhage et al.: W_QK = W_Qᵀ W_K, W_OV = W_O W_V.
        qk = (late.q_HDK[b] @ late.k_HDK[b].T).double()
        ov = (late.v_HDK[b] @ late.o_HKD[b]).T.double()
        write = (early.v_HDK[a] @ early.o_HKD[a]).T.double()
        for kind, read in (("q", qk.T), ("k", qk), ("v", ov)):
            share = (read @ write).norm() / (read.norm() * write.norm())
            value = found[kind].values_XX[a, 8 + b] + found[kind].baseline
            assert value == pytest.approx(float(share), abs=1e-6)


def test_only_later_layers_read_earlier_ones():
    values_XX = composition(small("llama"))[0].values_XX
    layer_X = np.repeat(np.arange(3), 4)
    assert np.array_equal(np.isfinite(values_XX), layer_X[:, None] < layer_X)


def test_the_square_of_a_random_share_is_one_over_the_width():
    mean, spread = random_share(64, 16)
    assert mean**2 + spread**2 == pytest.approx(1 / 64, rel=0.02)
    again = random_share(64, 16, torch.Generator().manual_seed(0))
    assert again == (mean, spread)


def test_maps_that_fit_share_everything_and_maps_that_miss_nothing():
    """One head of width 8 writes to dimensions 0-7; later queries read those, keys others."""
    settings = ModelSettings(layers=2, heads=1, kv_heads=1, width=16, mlp_width=8, context=16)
    model = build(settings, 20, 0)
    first, second = (layer.self_attn for layer in model.base_model.layers)
    low, high = torch.diag(torch.ones(16)[:] * 0), torch.diag(torch.ones(16) * 0)
    low[range(8), range(8)] = 1
    high[range(8, 16), range(8, 16)] = 1
    for weight, value in (
        (first.v_proj, low), (first.o_proj, low), (second.q_proj, low), (second.k_proj, low),
        (second.v_proj, high), (second.o_proj, high),
    ):  # fmt: skip
        weight.weight.data = value.clone()
    found = {x.kind: x for x in composition(model)}
    # Half of all directions are written and read: ‖I₈‖ / ‖I₈‖² = 1/√8.
    assert found["q"].values_XX[0, 1] + found["q"].baseline == pytest.approx(8**-0.5)
    assert found["k"].values_XX[0, 1] + found["k"].baseline == pytest.approx(8**-0.5)
    assert found["v"].values_XX[0, 1] + found["v"].baseline == pytest.approx(0, abs=1e-9)
    assert found["q"].strongest == ("L0H0", "L1H0", pytest.approx(8**-0.5 - found["q"].baseline))


def test_the_scale_of_the_norm_counts():
    settings = ModelSettings(layers=2, heads=1, kv_heads=1, width=8, mlp_width=8, context=16)
    model = build(settings, 20, 0)
    before = composition(model)[2].values_XX[0, 1]
    model.base_model.layers[1].input_layernorm.weight.data *= torch.tensor([5.0, *[0.1] * 7])
    assert composition(model)[2].values_XX[0, 1] != pytest.approx(before, abs=1e-3)
    model.base_model.layers[1].input_layernorm.weight.data.fill_(3)  # the same for all: no change
    assert composition(model)[2].values_XX[0, 1] == pytest.approx(before, abs=1e-6)
