"""Heads of every architecture that differs from Llama: against what `transformers` computes."""

import copy

import pytest
import torch
from tests.unit.probes.mechanism.constructed import OTHERS, other, rows
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM

from nucleate.core import UserError
from nucleate.models.activations import activations, head_results
from nucleate.models.families import FAMILIES
from nucleate.models.heads import attention_parts, final_norm, head_weights, unembedding
from nucleate.models.interventions import ablated, mean_outputs
from nucleate.models.norms import norm_length
from nucleate.models.output import logits_of
from nucleate.models.resume import KeptPass
from nucleate.probes.geometry import logit_lens
from nucleate.probes.mechanism.behaviours import make_behaviour
from nucleate.probes.mechanism.composition import composition
from nucleate.probes.mechanism.copying import copying_scores
from nucleate.probes.mechanism.reading import read_heads

CLOSE = {"atol": 5e-5, "rtol": 2e-5}
every = pytest.mark.parametrize("name", OTHERS)


@torch.no_grad()
def own(model, ids_BT):
    """What `transformers` says, eagerly."""
    model = copy.deepcopy(model).eval()
    model.config._attn_implementation = "eager"
    return model(ids_BT, output_attentions=True, output_hidden_states=True)


def test_every_family_is_asked():
    assert set(FAMILIES) - set(OTHERS) == {
        *("llama", "mistral", "mixtral", "qwen2", "gpt_neox", "gpt2")
    }


@every
def test_a_pass_gives_what_transformers_gives(name):
    model, ids_BT = other(name), rows()
    found, expected = activations(model, ids_BT), own(model, ids_BT)
    patterns, residuals = torch.stack(expected.attentions), expected.hidden_states
    torch.testing.assert_close(found.pattern_LBHTT, patterns, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.residual_LBTD[:-1], torch.stack(residuals[:-1]), **CLOSE)
    torch.testing.assert_close(found.hidden_BTD, residuals[-1], **CLOSE)
    torch.testing.assert_close(logits_of(model, found.hidden_BTD), expected.logits, **CLOSE)
    even = torch.ones(20, 20).tril()
    assert (patterns - even / even.sum(-1, keepdim=True)).abs().max() > 0.3


@pytest.mark.parametrize("name", ["olmo3", "qwen3", "smollm3", "gemma2", "gemma3_text"])
def test_some_layers_see_a_window_only(name):
    seen = activations(other(name), rows()).pattern_LBHTT
    far = torch.ones(20, 20, dtype=torch.bool).tril(-4)
    assert (seen[0::2, ..., far] == 0).all()
    assert (seen[1, ..., far] > 0).all()


@pytest.mark.parametrize("cap", [2.0, 50.0])
def test_scores_are_capped(cap):
    model, ids_BT = other("gemma2", attn_logit_softcapping=cap), rows()
    expected = torch.stack(own(model, ids_BT).attentions)
    found = activations(model, ids_BT).pattern_LBHTT
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    last_BHT = found[1, :, :, -1]  # scores within ± cap: weights within exp(2 · cap)
    ratio = (last_BHT.amax(-1) / last_BHT.amin(-1)).max().log()
    assert (ratio < 4) == (cap == 2)


_BEFORE_MLP = {
    **dict.fromkeys(("olmo2", "olmo3"), "mlp"),
    **dict.fromkeys(("gemma2", "gemma3_text"), "pre_feedforward_layernorm"),
    "apertus": "feedforward_layernorm",
}
"""The module that reads the residual stream behind attention."""


@torch.no_grad()
def added(model, ids_BT, layer):
    """What attention adds to the residual stream, and what its output projection gives."""
    block, seen = model.base_model.layers[layer], {}
    middle = block.get_submodule(_BEFORE_MLP.get(model.config.model_type, "mlp"))
    if model.config.model_type not in _BEFORE_MLP and block.post_attention_layernorm is not None:
        middle = block.post_attention_layernorm

    def enters(name):
        return lambda _, args, kwargs: seen.update({name: (*args, *kwargs.values())[0]})

    with (
        block.register_forward_pre_hook(enters("before"), with_kwargs=True),
        middle.register_forward_pre_hook(enters("behind"), with_kwargs=True),
        block.self_attn.o_proj.register_forward_hook(lambda *x: seen.update(out=x[2])),
    ):
        model.eval()(ids_BT)
    if model.config.model_type == "stablelm":  # attention beside the MLP, as it is
        return seen["out"], seen["out"]
    return seen["behind"] - seen["before"], seen["out"]


@every
@torch.no_grad()
def test_what_heads_write_adds_up_to_what_enters_the_residual_stream(name):
    model, ids_BT = other(name), rows()
    z_LBTHK = activations(model, ids_BT).z_LBTHK
    for layer in range(3):
        expected, out_BTD = added(model, ids_BT, layer)
        written = head_results(model, layer, z_LBTHK[layer])
        block = model.base_model.layers[layer]
        if (bias := block.self_attn.o_proj.bias) is not None:
            fixed = bias.expand_as(out_BTD)
            if name in ("olmo2", "gemma2", "gemma3_text"):  # a norm behind attention
                norm = block.post_attention_layernorm
                scale = norm.weight if name == "olmo2" else norm.weight + 1
                fixed = fixed * scale / (out_BTD.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
            expected = expected - fixed * (0.7 if name == "granite" else 1)
        torch.testing.assert_close(written.sum(2), expected, **CLOSE)
        assert expected.abs().max() > 0.3


def without_biases(name):
    """A model whose folded weights say all of what queries, keys and values are."""
    model = other(name, clip_qkv=None)
    for key, parameter in model.named_parameters():
        if key.endswith("bias"):
            parameter.data.zero_()
    return model


def over_length(part, residual_BTD):
    """What folded weights act on."""
    if part.norm is None:
        return residual_BTD
    return residual_BTD / norm_length(part.norm, residual_BTD)[..., None]


@every
@torch.no_grad()
def test_values_follow_from_the_folded_weights(name):
    model = without_biases(name)
    found, weights = activations(model, rows()), head_weights(model, 1)
    read_BTD = over_length(attention_parts(model)[1], found.residual_LBTD[1])
    values_BTHK = torch.einsum("btd,hdk->bthk", read_BTD, weights.v_HDK)
    z_BTHK = torch.einsum("bhqk,bkhd->bqhd", found.pattern_LBHTT[1], values_BTHK)
    torch.testing.assert_close(found.z_LBTHK[1], z_BTHK, **CLOSE)


@every
@torch.no_grad()
def test_queries_and_keys_point_where_the_folded_weights_say(name):
    """At position 0 nothing is turned; norms of queries and keys take lengths away."""
    model, told = without_biases(name), {}

    def ask(module, q_BHTK, k_BJTK, *_, **__):
        told[module.layer_idx] = (q_BHTK[:, :, 0], k_BJTK[:, :, 0])
        return torch.zeros_like(q_BHTK).transpose(1, 2), None

    AttentionInterface.register("ask", ask)
    ids_BT, model.config._attn_implementation = rows(), "ask"
    model.eval()(ids_BT)
    weights = head_weights(model, 0)
    model.config._attn_implementation = "eager"
    read_BTD = over_length(attention_parts(model)[0], activations(model, ids_BT).residual_LBTD[0])
    for told_BJK, weight_HDK in zip(told[0], (weights.q_HDK, weights.k_HDK), strict=True):
        ours_BHK = torch.einsum("bd,hdk->bhk", read_BTD[:, 0], weight_HDK)
        theirs_BHK = told_BJK.repeat_interleave(4 // told_BJK.shape[1], 1)
        same = torch.cosine_similarity(ours_BHK, theirs_BHK, dim=-1)
        torch.testing.assert_close(same, torch.ones_like(same), atol=1e-5, rtol=0)


@every
@torch.no_grad()
def test_a_head_that_says_its_mean_is_that_done_by_hand(name):
    model, ids_BT = other(name).eval(), rows()
    before = model(ids_BT).logits
    means_LHK = mean_outputs(model, ids_BT)
    attention = model.base_model.layers[1].self_attn
    width, seen = means_LHK.shape[-1], []

    def by_hand(_, __, output):
        own_columns = slice(2 * width, 3 * width)
        change = means_LHK[1, 2] - seen[0][..., own_columns]
        return (output[0] + change @ attention.o_proj.weight[:, own_columns].T, *output[1:])

    with (
        attention.o_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0])),
        attention.register_forward_hook(by_hand),
    ):
        expected = model(ids_BT).logits
    with ablated(model, [(1, 2)], means_LHK):
        torch.testing.assert_close(model(ids_BT).logits, expected, **CLOSE)
    assert (before - expected).abs().max() > 0.02
    kept = KeptPass(model, ids_BT)
    z_BTHK = kept.z[1].clone()
    z_BTHK[:, :, 2] = means_LHK[1, 2]
    went_on = kept.go_on(1, torch.arange(3), z_NTHK=z_BTHK)
    torch.testing.assert_close(logits_of(model, went_on), expected, **CLOSE)


@every
@torch.no_grad()
def test_direct_attribution_adds_up_to_the_logits(name):
    """Of heads and of all that is no head; before the cap on logits, where there is one."""
    model, ids_BT = other(name).eval(), rows()
    model.config.final_logit_softcapping = None
    asked = make_behaviour("any", [(0, 5, 3, (7, 9)), (1, 11, 2, (4,)), (2, 0, 8, (1, 2))])
    direct_LHQ = torch.from_numpy(read_heads(model, ids_BT, (), [asked]).direct["any"])
    found = activations(model, ids_BT)
    rest_BTD = found.residual_LBTD[-1].clone()
    for layer in range(3):
        rest_BTD -= head_results(model, layer, found.z_LBTHK[layer]).sum(2)
    at, norm = (asked.row_Q, asked.place_Q), final_norm(model)
    rest_Q = (rest_BTD[at] * asked.directions(unembedding(model))).sum(-1)
    rest_Q /= norm_length(norm, found.residual_LBTD[-1])[at]
    logits = model(ids_BT).logits
    if getattr(norm, "bias", None) is not None:
        logits = logits - model.get_output_embeddings()(norm.bias)
    for q, (row, place) in enumerate(zip(*at, strict=True)):
        foils = [int(foil) for foil in asked.foil_QF[q] if foil >= 0]
        expected = logits[row, place, asked.answer_Q[q]] - logits[row, place, foils].mean()
        total = float(direct_LHQ[:, :, q].sum() + rest_Q[q])
        assert total == pytest.approx(float(expected), abs=3e-4)
    assert direct_LHQ.abs().max() > 0.02


@pytest.mark.parametrize("name", ["granite", "gemma2", "olmo2", "olmo"])
@torch.no_grad()
def test_the_lens_ends_in_the_logits_of_the_model(name):
    model, ids_BT = other(name).eval(), rows()
    found, base = logit_lens(model, ids_BT), model.base_model
    stream = activations(model, ids_BT).residual_LBTD[1]
    logits = model.get_output_embeddings()(base.norm(stream))
    if name == "granite":
        logits = logits / 4
    if name == "gemma2":
        logits = 3 * torch.tanh(logits / 3)
    log_p = torch.log_softmax(model(ids_BT).logits.double(), -1)
    log_q = torch.log_softmax(logits.double(), -1)
    expected = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    assert found.kl_L[1] == pytest.approx(float(expected), rel=1e-3)


@torch.no_grad()
def test_logits_of_a_model_that_multiplies_them():
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    tokens = {"vocab_size": 50, "pad_token_id": 0, "logit_scale": 0.25}
    config = AutoConfig.for_model("cohere", intermediate_size=16, **sizes, **tokens)
    model, ids_BT = AutoModelForCausalLM.from_config(config).eval(), rows()
    hidden_BTD = model.base_model(ids_BT).last_hidden_state
    torch.testing.assert_close(logits_of(model, hidden_BTD), model(ids_BT).logits)


@every
def test_circuits_by_weights_can_be_read(name):
    model = other(name)
    values_LH = copying_scores(model).values_LH
    assert values_LH.shape == (3, 4)
    assert (abs(values_LH) <= 1).all()
    assert [x.kind for x in composition(model)] == ["q", "k", "v"]


def refused(name, **settings):
    config = AutoConfig.for_model(name, vocab_size=50, hidden_size=32, **settings)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: refused("mamba", num_hidden_layers=1), "architecture are not known .got 'mamba'"),
        (lambda: refused("bloom", n_layer=1, n_head=2), "architecture are not known .got 'bloom'"),
        (lambda: other("gemma2", use_bidirectional_attention=True), "causal attention only"),
    ],
)
def test_others_are_refused_in_one_line(model, says):
    with pytest.raises(UserError, match=says) as error:
        attention_parts(model())
    assert "\n" not in str(error.value)
