"""What the config of each architecture leaves unsaid: its matrices, norms, biases and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Bias = tuple[str, bool]
"""The key of the config that says whether there are biases, and what holds without it."""

_NO: Bias = ("", False)
_ASKED: Bias = ("attention_bias", False)


@dataclass(frozen=True, slots=True)
class Family:
    """What all models of one `model_type` share; the defaults are Llama's.

    Attributes:
        matrices: Of one MLP: 3 where it is gated, else 2.
        norms: Norms of the residual stream's width in one layer.
        norm_vectors: What one of them has: a scale, with a bias 2, or nothing.
        qk_norm: Norms of queries and keys: one of a head's width for all heads, one over all heads
            (or one for each of them, which is as many), or none.
        qk_norm_if: Key of the config that says whether there are such norms; always if left out.
        one_norm_if: Key of the config that says whether attention and MLP read through one norm.
        qkv_bias, out_bias, mlp_bias: Biases of the projections into and out of attention, and of
            the MLP.
        expert_width: Key of an expert's hidden width, where there can be experts.
        shared_width: Key of the hidden width of one more expert, through which every token passes,
            weighed by a number of its own.
        positions: Whether positions are learned, one vector each.
        extra: Further parameters of a layer.
        keys: Keys of the config that are called otherwise than in Llama's.
        defaults: What holds where the config does not say.
    """

    matrices: int = 3
    norms: int = 2
    norm_vectors: int = 1
    qk_norm: Literal["", "shared", "all"] = ""
    qk_norm_if: str = ""
    one_norm_if: str = ""
    qkv_bias: Bias = _NO
    out_bias: Bias = _NO
    mlp_bias: Bias = _NO
    expert_width: str = ""
    shared_width: str = ""
    positions: bool = False
    extra: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


_TIED = {"tie_word_embeddings": True}
_BIASED: Bias = ("use_bias", True)
_ALWAYS: Bias = ("", True)
_BOTH: Any = {"qkv_bias": _ASKED, "out_bias": _ASKED}
FAMILIES: Mapping[str, Family] = {
    "llama": Family(qkv_bias=_ASKED, out_bias=_ASKED, mlp_bias=("mlp_bias", False)),
    "mistral": Family(),
    "mixtral": Family(
        expert_width="intermediate_size",
        defaults={"num_local_experts": 8, "num_experts_per_tok": 2},
    ),
    "qwen2": Family(qkv_bias=_ALWAYS),
    "qwen2_moe": Family(
        qkv_bias=("qkv_bias", True),
        expert_width="moe_intermediate_size",
        shared_width="shared_expert_intermediate_size",
        defaults={"num_local_experts": 60, "num_experts_per_tok": 4},
    ),
    "qwen3": Family(qk_norm="shared", **_BOTH, defaults={"head_dim": 128}),
    "qwen3_moe": Family(
        qk_norm="shared",
        **_BOTH,
        expert_width="moe_intermediate_size",
        defaults={"num_local_experts": 128, "num_experts_per_tok": 8},
    ),
    "smollm3": Family(**_BOTH, mlp_bias=("mlp_bias", False), defaults=_TIED),
    "olmo": Family(norm_vectors=0, **_BOTH),
    "olmo2": Family(qk_norm="all", **_BOTH),
    "olmo3": Family(qk_norm="all", **_BOTH),
    "olmoe": Family(
        qk_norm="all",
        **_BOTH,
        expert_width="intermediate_size",
        defaults={"num_local_experts": 64, "num_experts_per_tok": 8},
    ),
    "gemma": Family(**_BOTH, defaults=_TIED | {"head_dim": 256}),
    "gemma2": Family(norms=4, **_BOTH, defaults=_TIED | {"head_dim": 256}),
    "gemma3_text": Family(norms=4, qk_norm="shared", **_BOTH, defaults=_TIED | {"head_dim": 256}),
    "granite": Family(**_BOTH, mlp_bias=("mlp_bias", False)),
    "phi3": Family(),
    "stablelm": Family(
        norm_vectors=2,
        qk_norm="all",
        qk_norm_if="qk_layernorm",
        one_norm_if="use_parallel_residual",
        qkv_bias=("use_qkv_bias", False),
    ),
    "starcoder2": Family(
        matrices=2,
        norm_vectors=2,
        qkv_bias=_BIASED,
        out_bias=_BIASED,
        mlp_bias=_BIASED,
        defaults=_TIED,
    ),
    "apertus": Family(matrices=2, qk_norm="shared", **_BOTH, extra=2),
    "gpt_neox": Family(
        matrices=2,
        norm_vectors=2,
        qkv_bias=("attention_bias", True),
        out_bias=("attention_bias", True),
        mlp_bias=_ALWAYS,
    ),
    "gpt2": Family(
        matrices=2,
        norm_vectors=2,
        qkv_bias=_ALWAYS,
        out_bias=_ALWAYS,
        mlp_bias=_ALWAYS,
        positions=True,
        keys={
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions",
        },
        defaults=_TIED,
    ),
}
"""By `model_type`."""
