"""Small random models of many families, straight from `transformers`, with a short window."""

from __future__ import annotations

import torch

WINDOW = 32

_COMMON = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "intermediate_size": 48,
    "max_position_embeddings": WINDOW,
    "initializer_range": 0.5,
}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": WINDOW, "initializer_range": 0.5}
_OWN = {
    "gpt2": _GPT2,
    "mixtral": _COMMON | {"num_local_experts": 4},
    "opt": _COMMON | {"ffn_dim": 48, "word_embed_proj_dim": 32, "init_std": 0.5},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 2, "initializer_range": 0.5},
    "gpt_neo": _COMMON
    | {"num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
    | {"window_size": 4},
    # Attention that reaches back four tokens only, in every layer or in every second one.
    "mistral": _COMMON | {"sliding_window": 4},
    "gemma2": _COMMON | {"sliding_window": 4, "final_logit_softcapping": 5.0},
    "gemma3_text": _COMMON | {"sliding_window": 4},
    "olmo3": _COMMON | {"sliding_window": 4},
    "granite": _COMMON | {"logits_scaling": 4.0},
    "qwen2_moe": _COMMON
    | {"num_experts": 4, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40},
}


def family(name, vocabulary, attention="sdpa", **own):
    """A model of a family, whose log-probabilities differ by several nats."""
    from transformers import AutoConfig, AutoModelForCausalLM

    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    settings = _OWN.get(name, _COMMON) | special | {"vocab_size": vocabulary} | own
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = AutoConfig.for_model(name, **settings)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    return model.eval()
