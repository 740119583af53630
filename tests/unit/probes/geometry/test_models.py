"""Streams, logit lens and routers of small models, against the same computed by hand."""

import math

import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.models import layer_modules
from nucleate.probes.geometry import (
    logit_lens,
    residual_streams,
    routed_layers,
    router_logits,
    routing,
)
from nucleate.probes.geometry.lens import summary
from nucleate.probes.geometry.probes import GeometryItems, routers
from nucleate.probes.view import ModelView
from tests.unit.probes.landscape.models import unchanged
from tests.unit.probes.mechanism.constructed import other
from tests.unit.probes.models import FAMILIES, VOCABULARY, tiny

IDS = torch.randint(VOCABULARY, (3, 10), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_streams_are_what_the_layers_hand_on(family):
    model, seen = tiny(family), []
    for layer in layer_modules(model).values():
        layer.register_forward_hook(lambda _, into, out: seen.append(_first(out)))
    with unchanged(model):
        streams = residual_streams(model, IDS)
    assert streams.shape == (3, 30, 32)
    embedded = model.get_input_embeddings()(IDS).detach().flatten(0, 1)
    np.testing.assert_array_equal(streams[0], embedded)
    np.testing.assert_array_equal(streams[1], seen[0].detach().flatten(0, 1))
    last = torch.from_numpy(streams[-1])
    with torch.no_grad():
        logits = model(input_ids=IDS).logits.flatten(0, 1)
        np.testing.assert_allclose(model.get_output_embeddings()(last), logits, atol=1e-4)


def test_only_chosen_positions_are_returned():
    model, chosen = tiny(), torch.zeros_like(IDS, dtype=torch.bool)
    chosen[0, 4] = chosen[2, 1] = True
    every = residual_streams(model, IDS).reshape(3, 3, 10, 32)
    np.testing.assert_array_equal(residual_streams(model, IDS, chosen), every[:, [0, 2], [4, 1]])


@pytest.mark.parametrize("family", FAMILIES)
def test_lens_against_the_divergence_written_out(family):
    model = tiny(family).train()
    with unchanged(model):
        found = logit_lens(model, IDS, block=7)
    model.eval()
    stream = torch.from_numpy(residual_streams(model, IDS)[0])
    norm = getattr(model.base_model, "norm", None) or model.base_model.final_layer_norm
    with torch.no_grad():
        q = torch.softmax(model.get_output_embeddings()(norm(stream)).double(), -1)
        p = torch.softmax(model(input_ids=IDS).logits.flatten(0, 1).double(), -1)
    assert found.kl_L[0] == pytest.approx(float((p * (p / q).log()).sum(-1).mean()), rel=1e-3)
    assert (len(found.kl_L), found.kl_L[-1]) == (3, 0)


def test_depth_is_the_first_layer_below_a_tenth():
    kl_LB = np.array([[4.0, 6.0], [0.6, 0.4], [0.2, 0.6], [0.0, 0.0]])
    found = summary(kl_LB, 0.1)
    assert found.kl_L.tolist() == [5, 0.5, 0.4, 0]
    assert found.se_L[:2] == pytest.approx([1, 0.1])
    assert (found.depth, found.relative_depth) == (2, 2 / 3)
    assert summary(kl_LB, 0.5).depth == 1
    assert math.isnan(summary(np.zeros((2, 2)), 0.1).depth)


def test_router_that_was_made_by_hand():
    """Four tokens, three experts, one each: two classes, each with an expert of its own."""
    even = np.log([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25]])
    found = routing(even + 3, 1, ["noun", "noun", "verb", "verb"], shuffles=1)
    assert found.entropy == pytest.approx(1.5 * math.log(2))
    assert found.load_E.tolist() == [0.5, 0.5, 0]
    assert found.effective_experts == pytest.approx(2)
    assert found.load_CE.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.specialization + found.by_chance == pytest.approx(math.log(2))


def test_an_undecided_and_a_collapsed_router():
    flat = routing(np.zeros((6, 4)), 2)
    assert flat.entropy == pytest.approx(math.log(4))
    assert flat.load_E.tolist() == [0.5, 0.5, 0, 0]
    assert math.isnan(flat.specialization)
    sure = routing(np.tile([0.0, 100.0, 0.0], (6, 1)), 1)
    assert sure.entropy == pytest.approx(0)
    assert sure.effective_experts == pytest.approx(1)


def test_classes_without_an_expert_show_no_specialization():
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(3000, 8)), rng.integers(0, 5, 3000)
    found = routing(logits, 2, classes)
    # Bias of mutual information: (rows − 1)(columns − 1) / 2N, for two choices without repetition.
    assert found.by_chance == pytest.approx(28 / (2 * 6000), rel=0.4)
    assert abs(found.specialization) < found.by_chance
    tied = routing(logits + 3 * np.eye(8)[classes], 2, classes)
    assert tied.specialization > 0.2


def test_what_a_class_adds_to_the_token():
    """Tokens 0 and 1 decide the expert, or the class does; class and token agree in 3 of 4."""
    tokens = np.tile([0, 0, 0, 0, 1, 1, 1, 1], 100)
    classes = np.tile([0, 0, 0, 1, 1, 1, 1, 0], 100)
    by_token, by_class = np.eye(2)[tokens], np.eye(2)[classes]
    shared = math.log(2) + 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    token = routing(by_token, 1, classes)
    assert token.specialization + token.by_chance == pytest.approx(shared)
    assert routing(by_token, 1, classes, given_N=tokens).specialization == pytest.approx(0)
    both = routing(by_class, 1, classes, given_N=tokens)
    assert both.specialization + both.by_chance == pytest.approx(math.log(2) - shared)
    assert both.by_chance < 0.005
    assert routing(by_class, 1, tokens, given_N=tokens).specialization == pytest.approx(0)


def test_routers_of_a_mixtral():
    model = tiny("mixtral").train()
    with unchanged(model):
        logits = router_logits(model, IDS)
    assert logits.shape == (2, 30, 4)
    layer = layer_modules(model)["L0"]
    seen = []
    layer.mlp.gate.register_forward_hook(lambda _, into, out: seen.append(out[2]))
    model.eval()
    with torch.no_grad():
        model(input_ids=IDS)
    load = np.bincount(seen[0].flatten().numpy(), minlength=4) / seen[0].numel()
    np.testing.assert_allclose(routing(logits[0], 2).load_E, load)
    with pytest.raises(DataError, match="no routers that are known"):
        router_logits(tiny(), IDS)


def _first(out):
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize(
    ("name", "routed"), [("olmoe", [0, 1, 2]), ("qwen2_moe", [0, 2]), ("qwen3_moe", [0, 2])]
)
def test_routers_under_other_names(name, routed):
    """In Qwen's models of three layers the one between has no experts."""
    model = other(name, vocab_size=VOCABULARY).eval()
    assert routed_layers(model) == routed
    logits_LNE, layers, seen = router_logits(model, IDS), layer_modules(model), []
    for layer in routed:
        layers[f"L{layer}"].mlp.gate.register_forward_hook(lambda *x: seen.append(x[2][2]))
    with torch.no_grad():
        model(input_ids=IDS)
    assert logits_LNE.shape == (len(routed), 30, 4)
    for logits_NE, chosen in zip(logits_LNE, seen, strict=True):
        load = np.bincount(chosen.flatten().numpy(), minlength=4) / chosen.numel()
        np.testing.assert_allclose(routing(logits_NE, 2).load_E, load)
        assert load.max() > 0.26
    names = {x.metric for x in routers(ModelView(model), GeometryItems(IDS.numpy()))}
    assert {x.split(".")[1] for x in names} == {f"L{layer}" for layer in routed}
