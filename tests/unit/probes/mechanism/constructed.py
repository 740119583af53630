"""Models whose heads were written by hand, or that are random, of every family that is known."""

from __future__ import annotations

import math

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from nucleate.models import ModelSettings, build

VOCABULARY = 50
FAMILIES = ("llama", "neox", "mixtral", "gpt2")
_WINDOW = {"sliding_window": 4}
_EVERY_OTHER = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
_GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 12, "attention_bias": True}
_CAPS = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
_FACTORS = {"embedding_multiplier": 3.0, "attention_multiplier": 0.5, "attention_bias": True}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
OTHERS = {
    "olmo": {"clip_qkv": 1.0},
    "olmo2": {"attention_bias": True},
    "olmo3": _WINDOW | _EVERY_OTHER,
    "olmoe": _EXPERTS | {"clip_qkv": 1.0},
    "qwen2_moe": _EXPERTS
    | {"moe_intermediate_size": 24, "shared_expert_intermediate_size": 40, "mlp_only_layers": [1]},
    "qwen3": _WINDOW | _EVERY_OTHER | {"head_dim": 16, "use_sliding_window": True},
    "qwen3_moe": _EXPERTS
    | {"head_dim": 16, "attention_bias": True, "moe_intermediate_size": 24, "mlp_only_layers": [1]},
    "smollm3": _WINDOW
    | _EVERY_OTHER
    | {"use_sliding_window": True, "no_rope_layer_interval": 2, "attention_bias": True},
    "gemma": {"head_dim": 16, "attention_bias": True},
    "gemma2": _GEMMA | _CAPS | _WINDOW | _EVERY_OTHER,
    "gemma3_text": _GEMMA | _WINDOW | _EVERY_OTHER,
    "granite": _FACTORS | {"residual_multiplier": 0.7, "logits_scaling": 4.0, "mlp_bias": True},
    "phi3": _WINDOW,
    "stablelm": {"qk_layernorm": True, "use_parallel_residual": True, "use_qkv_bias": True},
    "starcoder2": _WINDOW,
    "apertus": {"attention_bias": True, "hidden_act": "xielu"},
}
"""More families, by model type: what is set beside the sizes, to be unlike any other of them."""


def other(name, *, layers=3, seed=0, **settings):
    """A random model of one of the `OTHERS`; as `small`."""
    sizes = {"hidden_size": 32, "num_hidden_layers": layers, "num_attention_heads": 4}
    sizes |= {"num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64}
    tokens = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    given = sizes | tokens | {"vocab_size": VOCABULARY, "initializer_range": 0.3}
    config = AutoConfig.for_model(name, **(given | OTHERS[name] | settings))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return with_biases(AutoModelForCausalLM.from_config(config, dtype=torch.float32))


def small(family, *, layers=3, heads=4, seed=0):
    """A random model whose attention is far from even, and whose biases are no zeros."""
    if family in OTHERS:
        return other(family, layers=layers, seed=seed)
    if family == "gpt2":
        shape = {"n_embd": 32, "n_layer": layers, "n_head": heads, "n_positions": 64}
        tokens = {"bos_token_id": 0, "eos_token_id": 0, "vocab_size": VOCABULARY}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return with_biases(
                GPT2LMHeadModel(GPT2Config(initializer_range=0.3, **shape, **tokens))
            )
    grouped = {} if family == "neox" else {"kv_heads": heads // 2}
    shape = {"layers": layers, "heads": heads, "width": 32, "context": 64}
    settings = ModelSettings(family=family, init_std=0.3, **shape, **grouped)
    return with_biases(build(settings, VOCABULARY, seed))


def with_biases(model):
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name or "ln_" in name:
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def rows(number=3, length=20, seed=0):
    return torch.randint(
        VOCABULARY, (number, length), generator=torch.Generator().manual_seed(seed)
    )


def looks_back(strength=60.0, *, layers=1, by=1):
    """A llama whose head L0H0 attends `by` tokens back, by rotary position alone.

    Every token has the same embedding, and so the same query and key before rotation; queries are
    turned on by `by` positions. All other heads have no queries and attend evenly.
    """
    settings = ModelSettings(layers=layers, heads=2, width=16, mlp_width=16, context=64)
    model = build(settings, VOCABULARY, seed=0).eval()
    for parameter in model.parameters():
        parameter.data.zero_()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data.fill_(1)
    model.get_input_embeddings().weight.data[:, 0] = 100  # its norm makes it √16 = 4
    attention = model.base_model.layers[0].self_attn
    for pair, frequency in enumerate(frequencies()):
        size = math.sqrt(strength) / 4
        attention.k_proj.weight.data[pair, 0] = size
        # Half of a head's numbers are first coordinates, the other half second ones.
        attention.q_proj.weight.data[pair, 0] = size * math.cos(by * frequency)
        attention.q_proj.weight.data[pair + 4, 0] = -size * math.sin(by * frequency)
    return model


def frequencies(head_width=8, base=10_000.0):
    return base ** -(np.arange(0, head_width, 2) / head_width)


def expected_pattern(tokens, strength=60.0, by=1):
    """The attention of `looks_back`, in closed form: softmax over strength · Σ cos(f (Δ - by))."""
    distance = np.arange(tokens)[:, None] - np.arange(tokens)
    score = strength * np.cos(np.multiply.outer(distance - by, frequencies())).sum(-1) / np.sqrt(8)
    score[distance < 0] = -np.inf
    weight = np.exp(score - score.max(1, keepdims=True))
    return weight / weight.sum(1, keepdims=True)
