"""Reading a model: equal to what `transformers` says itself, and without a trace."""

import copy
import random

import numpy as np
import pytest
import torch
from tests.unit.probes.mechanism.constructed import (
    FAMILIES,
    expected_pattern,
    looks_back,
    rows,
    small,
)
from transformers import OPTConfig, OPTForCausalLM

from nucleate.core import UserError
from nucleate.models.activations import activations, head_results, read_layers
from nucleate.models.evaluation import evaluating
from nucleate.models.heads import (
    attention_parts,
    final_norm,
    head_weights,
    norm_length,
    unembedding,
)
from nucleate.models.interventions import ablated, mean_outputs, replaced_heads, replaced_residual
from nucleate.models.open_attention import attend, open_attention
from nucleate.models.resume import KeptPass


@torch.no_grad()
def own(model, ids_BT):
    """What `transformers` says, eagerly."""
    model = copy.deepcopy(model).eval()
    model.config._attn_implementation = "eager"
    return model(ids_BT, output_attentions=True, output_hidden_states=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pass_gives_what_transformers_gives(family):
    model, ids_BT = small(family), rows()
    found, expected = activations(model, ids_BT), own(model, ids_BT)
    close = {"atol": 5e-5, "rtol": 1e-5}
    patterns, residuals = expected.attentions, expected.hidden_states
    torch.testing.assert_close(found.pattern_LBHTT, torch.stack(patterns), atol=5e-6, rtol=0)
    torch.testing.assert_close(found.residual_LBTD[:-1], torch.stack(residuals[:-1]), **close)
    torch.testing.assert_close(found.hidden_BTD, residuals[-1], **close)
    logits = model.get_output_embeddings()(found.hidden_BTD)
    torch.testing.assert_close(logits, expected.logits, atol=2e-5, rtol=1e-5)
    assert (found.pattern_LBHTT.triu(1) == 0).all()


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_head_outputs_follow_from_patterns_and_weights(family):
    """z = pattern · values, and the results of all heads add up to what attention writes."""
    model, ids_BT = small(family).eval(), rows()
    found = activations(model, ids_BT)
    part, weights = attention_parts(model)[1], head_weights(model, 1)
    values_BTHK = torch.einsum(
        "btd,hdk->bthk", normalised(part.norm, found.residual_LBTD[1]), weights.v_HDK
    )
    values_BTHK += value_bias(part, family)
    z_BTHK = torch.einsum("bhqk,bkhd->bqhd", found.pattern_LBHTT[1], values_BTHK)
    torch.testing.assert_close(found.z_LBTHK[1], z_BTHK, atol=2e-5, rtol=1e-5)
    written = head_results(model, 1, found.z_LBTHK[1]).sum(2)
    written = written + (part.out.bias if getattr(part.out, "bias", None) is not None else 0)
    torch.testing.assert_close(
        part.out(found.z_LBTHK[1].flatten(-2)), written, atol=2e-5, rtol=1e-5
    )


def normalised(norm, residual_BTD):
    return residual_BTD / norm_length(norm, residual_BTD)[..., None]


def value_bias(part, family):
    """What the biases of norm and values add to each value: the folded weights leave it out."""
    if family in ("llama", "mixtral"):
        return 0
    shift = part.norm.bias
    if family == "gpt2":
        packed = shift @ part.attention.c_attn.weight + part.attention.c_attn.bias
        return packed.unflatten(0, (3, 4, 8))[2]
    packed = part.attention.query_key_value(shift)
    return packed.unflatten(0, (4, 3, 8))[:, 2]


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_logits_follow_from_the_folded_output_head(family):
    model, ids_BT = small(family).eval(), rows()
    residual_BTD = activations(model, ids_BT).residual_LBTD[-1]
    norm, head = final_norm(model), model.get_output_embeddings().weight
    logits = normalised(norm, residual_BTD) @ unembedding(model)
    logits = logits + (head @ norm.bias if getattr(norm, "bias", None) is not None else 0)
    torch.testing.assert_close(logits, own(model, ids_BT).logits, atol=2e-5, rtol=1e-5)


def test_a_hand_written_head_attends_as_its_formula_says():
    found = activations(looks_back(strength=7.0), rows(2, 30))
    pattern_HTT = found.pattern_LBHTT[0, 0].double().numpy()
    np.testing.assert_allclose(pattern_HTT[0], expected_pattern(30, 7.0), atol=1e-6)
    np.testing.assert_allclose(pattern_HTT[1], np.tril(1 / np.arange(1, 31)[:, None] * np.ones(30)))


def state(model):
    """All that a look must not change, as plain values."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
    return {
        "weights": {name: x.numpy().tobytes() for name, x in model.state_dict().items()},
        "gradients": [x.grad.numpy().tobytes() for x in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "hooks": [len(getattr(module, name)) for module in model.modules() for name in hooks],
        "attention": model.config._attn_implementation,
        "wants gradients": [x.requires_grad for x in model.parameters()],
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "python": random.getstate(),
        "config": model.config.to_dict(),
    }


def looks(model, ids_BT):
    activations(model, ids_BT)
    kept = KeptPass(model, ids_BT)
    kept.go_on(1, torch.arange(len(ids_BT)), z_NTHK=kept.z[1] * 0)
    means = mean_outputs(model, ids_BT)
    with (
        evaluating(model),
        ablated(model, [(0, 1), (2, 3)], means),
        replaced_residual(model, 1, kept.residuals[1]),
    ):
        model.base_model(ids_BT)


def fails(model, ids_BT):
    def broken(_):
        raise RuntimeError("a reader that breaks")

    with pytest.raises(RuntimeError, match="breaks"):
        read_layers(model, ids_BT, broken)
    too_narrow = replaced_heads(model, {(1, 1): torch.zeros(3)})
    with pytest.raises(RuntimeError), evaluating(model), too_narrow:
        model.base_model(ids_BT)
    with pytest.raises(IndexError):
        KeptPass(model, ids_BT).go_on(0, torch.tensor([99]))


@pytest.mark.parametrize("look", [looks, fails])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_look_leaves_no_trace(family, look):
    model, ids_BT = small(family).train(), rows()
    model.base_model.get_submodule(next(iter(dict(model.base_model.named_children())))).eval()
    model(ids_BT, labels=ids_BT).loss.backward()
    before = state(model)
    look(model, ids_BT)
    assert state(model) == before
    loss = model(ids_BT, labels=ids_BT).loss
    loss.backward()  # and it still trains


def test_attention_goes_back_to_what_it_was_when_something_breaks():
    model = small("llama")
    seen = []

    def interrupted():
        with open_attention(model):
            seen.append(model.config._attn_implementation)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen == ["nucleate_open"]
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_ablating_every_head_of_a_layer_takes_its_attention_away(family):
    model, ids_BT = small(family).eval(), rows()
    without = copy.deepcopy(model)
    attention_parts(without)[1].out.weight.data.zero_()
    with ablated(model, [(1, head) for head in range(4)]):
        torch.testing.assert_close(model(ids_BT).logits, without(ids_BT).logits, atol=1e-5, rtol=0)
    assert (model(ids_BT).logits - without(ids_BT).logits).abs().max() > 0.1


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_means_are_those_of_what_heads_compute(family):
    model, ids_BT = small(family), rows()
    real_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    real_BT[0, 12:] = False
    z_LBTHK = activations(model, ids_BT).z_LBTHK
    torch.testing.assert_close(mean_outputs(model, ids_BT), z_LBTHK.mean((1, 2)))
    torch.testing.assert_close(mean_outputs(model, ids_BT, real_BT), z_LBTHK[:, real_BT].mean(1))
    by_place = mean_outputs(model, ids_BT, real_BT, per="position")
    torch.testing.assert_close(by_place[:, 15], z_LBTHK[:, 1:, 15].mean(1))
    assert by_place.shape == (3, 20, 4, 8)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_patched_pass_is_the_pass_it_was_patched_from(family):
    model, clean, other = small(family).eval(), rows(seed=1), rows(seed=2)
    found = activations(model, clean)
    for layer in range(4):
        with replaced_residual(model, layer, found.residual_LBTD[layer]):
            torch.testing.assert_close(model(other).logits, own(model, clean).logits)
    halfway = clean.clone()
    halfway[:, 10:] = other[:, 10:]
    with replaced_residual(model, 0, found.residual_LBTD[0], slice(10)):
        torch.testing.assert_close(model(other).logits, model(halfway).logits, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_going_on_is_running_again(family, attention):
    model, ids_BT = small(family).eval(), rows()
    model.config._attn_implementation = attention
    kept = KeptPass(model, ids_BT)
    torch.testing.assert_close(
        kept.hidden_BTD, model.base_model(ids_BT).last_hidden_state, atol=0, rtol=0
    )
    for layer in range(3):
        z_NTHK = kept.z[layer].repeat(2, 1, 1, 1)
        z_NTHK[3:, :, 2] = 0
        went_on = kept.go_on(layer, torch.arange(3).repeat(2), z_NTHK=z_NTHK)
        with ablated(model, [(layer, 2)]):
            again = model.base_model(ids_BT).last_hidden_state
        torch.testing.assert_close(went_on[:3], kept.hidden_BTD, atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(went_on[3:], again, atol=2e-5, rtol=1e-5)


def test_other_architectures_and_heads_are_refused_in_one_line():
    config = OPTConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(UserError, match=r"heads of this architecture are not known .got 'opt'"):
        read_layers(OPTForCausalLM(config), rows(), print)
    with (
        pytest.raises(UserError, match=r"no such head .got 'L3H0', expected L0H0 … L2H3"),
        ablated(small("llama"), [(3, 0)]),
    ):
        pass


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize(
    ("kind", "length"), [("causal", 9), ("causal", 70), ("seen", 9), ("added", 9), ("added", 70)]
)
def test_open_attention_is_attention(kind, length, groups, dtype):
    """Against torch's own: causal (in one block and in three), boolean and additive masks."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(2, heads, length, 8, generator=generator, dtype=dtype)
        for heads in (4, groups, groups)
    )
    sees = torch.ones(length, length, dtype=torch.bool).tril().repeat(2, 1, 1, 1)
    if kind != "causal":
        sees[1, :, 5:, 2] = False
    mask = {
        "causal": None,
        "seen": sees,
        "added": torch.zeros(sees.shape, dtype=dtype).masked_fill(~sees, torch.finfo(dtype).min),
    }[kind]
    z_BTHK, weights = attend(None, q, k, v, mask, scaling=0.3)
    weight_BHTT = weights.full()
    k, v = (x.repeat_interleave(4 // groups, 1) for x in (k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, sees, scale=0.3)
    tolerance = 1e-6 if dtype is torch.float32 else 2e-2
    torch.testing.assert_close(z_BTHK, expected.transpose(1, 2), atol=tolerance, rtol=tolerance)
    assert (weight_BHTT.masked_select(~sees) == 0).all()
    torch.testing.assert_close(
        weight_BHTT.float().sum(-1), torch.ones(2, 4, length), atol=tolerance, rtol=0
    )
    row_N, query_N, key_N = sees[:, 0].nonzero().T
    places_HN = weights.places(row_N, query_N, key_N)
    assert torch.equal(weights.flat.take(places_HN), weight_BHTT[row_N, :, query_N, key_N].T)


@pytest.mark.parametrize(("queries", "keys"), [(5, 9), (70, 90), (9, 5)])
def test_open_attention_sees_what_came_before_its_queries(queries, keys):
    """The last query sees all keys, each other one key less than the next."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, size, 8, generator=generator) for size in (queries, keys, keys))
    z_BTHK, weights = attend(None, q, k, v, None)
    sees = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    blind = ~sees.any(1)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, sees)
    torch.testing.assert_close(
        z_BTHK[:, ~blind], expected.transpose(1, 2)[:, ~blind], atol=1e-6, rtol=1e-6
    )
    assert (weights.full()[:, :, ~blind].masked_select(~sees[~blind]) == 0).all()
