"""Build a model with fresh weights from settings and a seed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
)

from nucleate.core import RecipeError, preserved_random_state
from nucleate.core.flops import count_parameters, read_architecture
from nucleate.core.units import si
from nucleate.models.settings import ModelSettings

_FAMILIES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "neox": (GPTNeoXConfig, GPTNeoXForCausalLM),
    "mixtral": (MixtralConfig, MixtralForCausalLM),
}


def build(
    settings: ModelSettings,
    vocab_size: int,
    seed: int,
    *,
    bos_token_id: int | None = None,
    eos_token_id: int | None = None,
    pad_token_id: int | None = None,
) -> PreTrainedModel:
    """Build a `transformers` model on the CPU, in float32 and in training mode, without dropout.

    The same settings, vocabulary and seed give the same weights; global random states are left
    as they were. Attention runs through torch's scaled-dot-product kernels.

    Args:
        settings: What to build.
        vocab_size: Number of tokens of the tokenizer.
        seed: Seed of the initial weights.
        bos_token_id: Token that begins a text, if there is one.
        eos_token_id: Token that ends a text, if there is one.
        pad_token_id: Token that fills up batches. Its embedding is never trained, so it must be a
            token of its own; leave it out when sequences are packed.

    Raises:
        RecipeError: A token id lies outside the vocabulary, padding is not a token of its own, or
            the weights alone exceed the memory of the machine.
    """
    ids = {"bos": bos_token_id, "eos": eos_token_id, "pad": pad_token_id}
    _check_ids(ids, vocab_size)
    config = make_config(settings, vocab_size, ids)
    _, model_class = _FAMILIES[settings.family]
    _refuse_too_large(config.to_dict())
    with preserved_random_state(), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would touch CUDA too
        return model_class(config).float()


def make_config(
    settings: ModelSettings, vocab_size: int, ids: Mapping[str, int | None] | None = None
) -> Any:
    """Return the config of the model that `build` builds, without building it.

    Args:
        settings: What would be built.
        vocab_size: Number of tokens of the tokenizer.
        ids: Tokens with a task (``bos``, ``eos``, ``pad``).
    """
    config_class, _ = _FAMILIES[settings.family]
    named = {f"{name}_token_id": value for name, value in (ids or {}).items()}
    return config_class(vocab_size=vocab_size, **named, **_config(settings.resolved()))


def _config(settings: ModelSettings) -> dict[str, Any]:
    """Return the arguments of a config, in names that transformers 4.57 and 5 both take."""
    common = {
        "hidden_size": settings.width,
        "intermediate_size": settings.mlp_width,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "max_position_embeddings": settings.context,
        "initializer_range": settings.init_std,
        "tie_word_embeddings": settings.tie_embeddings,
        "attention_dropout": 0.0,
        "attn_implementation": "sdpa",
    }
    if settings.family == "neox":
        rotary = {"rotary_pct": 0.25, "rotary_emb_base": settings.rope_theta}
        return common | rotary | {"hidden_dropout": 0.0, "use_parallel_residual": True}
    common |= {"num_key_value_heads": settings.kv_heads, "rope_theta": settings.rope_theta}
    if settings.family == "mixtral":
        common |= {
            "num_local_experts": settings.experts,
            "num_experts_per_tok": settings.experts_per_token,
        }
    return common


def _refuse_too_large(config: dict[str, Any]) -> None:
    """Refuse weights that cannot fit, before the first of them is allocated."""
    weights, _ = count_parameters(read_architecture(config))
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return
    if 4 * weights > memory > 0:
        raise RecipeError(
            "the model does not fit into memory",
            where="model",
            got=f"{si(weights)} weights of 4 bytes",
            expected=f"at most {si(memory)} bytes",
            fix="make it narrower or shallower",
        )


def _check_ids(ids: dict[str, int | None], vocab_size: int) -> None:
    for name, value in ids.items():
        if value is not None and not 0 <= value < vocab_size:
            raise RecipeError(
                f"{name} token lies outside the vocabulary",
                got=value,
                expected=f"0 … {vocab_size - 1}",
            )
    if ids["pad"] is not None and ids["pad"] in (ids["bos"], ids["eos"]):
        raise RecipeError(
            "padding shares its token with the begin or end of a text",
            got=ids["pad"],
            fix="give padding a token of its own, or none",
        )
