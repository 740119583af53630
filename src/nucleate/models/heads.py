"""Attention heads of every known architecture: where they are, and their weights in one layout.

Weights act on row vectors: a query is ``x_D @ q_DK``, what a head writes is ``z_K @ o_KD``.

Shape legend: L layers, H heads, D width of the residual stream, K width of a head, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nucleate.core import UserError

_LLAMA_LIKE = ("llama", "mistral", "mixtral", "qwen2")
KNOWN = (*_LLAMA_LIKE, "gpt_neox", "gpt2")
"""Model types whose heads can be read and changed."""


@dataclass(frozen=True, slots=True)
class AttentionParts:
    """The modules of one layer's attention.

    Attributes:
        layer: The whole decoder layer.
        attention: Gives ``(output, pattern)``; the pattern only where attention shows it.
        out: Output projection; its input is what all heads computed, side by side.
        norm: The norm through which attention reads the residual stream.
    """

    layer: nn.Module
    attention: Any
    out: Any
    norm: nn.Module


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """The weights of one layer's heads; heads that share keys and values each have a copy.

    Attributes:
        q_HDK: To queries; ``k_HDK`` and ``v_HDK`` likewise to keys and values.
        o_HKD: From what a head computed to the residual stream.
    """

    q_HDK: torch.Tensor
    k_HDK: torch.Tensor
    v_HDK: torch.Tensor
    o_HKD: torch.Tensor


def attention_parts(model: Any) -> list[AttentionParts]:
    """Return the attention of every layer, in order.

    Raises:
        UserError: An architecture whose heads are not known.
    """
    kind = model.config.model_type
    if kind not in KNOWN:
        raise UserError(
            "heads of this architecture are not known", got=kind, expected=", ".join(KNOWN)
        )
    if kind == "gpt2":
        return [AttentionParts(x, x.attn, x.attn.c_proj, x.ln_1) for x in model.base_model.h]
    layers = model.base_model.layers
    if kind == "gpt_neox":
        return [
            AttentionParts(x, x.attention, x.attention.dense, x.input_layernorm) for x in layers
        ]
    return [AttentionParts(x, x.self_attn, x.self_attn.o_proj, x.input_layernorm) for x in layers]


def by_head(z_BTX: torch.Tensor, heads: int) -> torch.Tensor:
    """Return what the heads of a layer computed, side by side, as ``(B, T, H, K)``."""
    return z_BTX.reshape(*z_BTX.shape[:-1], heads, -1)


def final_norm(model: Any) -> nn.Module:
    """Return the norm between the last layer and the output head."""
    base = model.base_model
    names = {"gpt2": "ln_f", "gpt_neox": "final_layer_norm"}
    found: nn.Module = getattr(base, names.get(model.config.model_type, "norm"))
    return found


def head_shape(model: Any) -> tuple[int, int, int]:
    """Return ``(L, H, K)``."""
    config = model.config
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, heads, width


@torch.no_grad()
def head_weights(model: Any, layer: int, *, fold: bool = True) -> HeadWeights:
    """Return the weights of a layer's heads, without biases.

    Args:
        model: A model of one of the `KNOWN` types.
        layer: Which layer.
        fold: Put the scale of the norm before attention into the weights that read through it
            (and its centring, where it is a LayerNorm), so that they act on the residual stream
            divided by its length.
    """
    parts = attention_parts(model)[layer]
    _, heads, width = head_shape(model)
    if model.config.model_type == "gpt2":
        q, k, v = parts.attention.c_attn.weight.unflatten(1, (3, heads, width)).permute(1, 2, 0, 3)
    elif model.config.model_type == "gpt_neox":
        packed = parts.attention.query_key_value.weight.unflatten(0, (heads, 3, width))
        q, k, v = packed.permute(1, 0, 3, 2)
    else:
        q, k, v = _separate(parts.attention, heads, width)
    o = _output(model.config.model_type, parts.out, heads, width)
    if fold:
        q, k, v = (fold_norm(parts.norm, weight) for weight in (q, k, v))
    return HeadWeights(*(weight.detach() for weight in (q, k, v, o)))  # views would want gradients


@torch.no_grad()
def output_weights(model: Any) -> list[torch.Tensor]:
    """Return ``o_HKD`` of every layer, in order: views, nothing is copied or folded."""
    kind, (_, heads, width) = model.config.model_type, head_shape(model)
    return [_output(kind, x.out, heads, width).detach() for x in attention_parts(model)]


def _output(kind: str, out: nn.Module, heads: int, width: int) -> torch.Tensor:
    weight: Any = out.weight
    if kind == "gpt2":
        weight = weight.unflatten(0, (heads, width))
    else:
        weight = weight.unflatten(1, (heads, width)).permute(1, 2, 0)
    found: torch.Tensor = weight
    return found


def _separate(attention: Any, heads: int, width: int) -> tuple[torch.Tensor, ...]:
    found = []
    for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
        weight = projection.weight.unflatten(0, (-1, width)).transpose(1, 2)
        found.append(weight.repeat_interleave(heads // len(weight), 0))
    return tuple(found)


def fold_norm(norm: nn.Module, weight_DX: torch.Tensor) -> torch.Tensor:
    """Return weights ``(…, D, X)`` behind a norm as they act on its input over its length."""
    scale: Any = norm.weight
    folded = weight_DX if scale is None else weight_DX * scale[:, None]
    if isinstance(norm, nn.LayerNorm):
        folded = folded - folded.mean(-2, keepdim=True)
    return folded


def norm_length(norm: nn.Module, residual_XD: torch.Tensor) -> torch.Tensor:
    """Return what a norm divides each residual by, shape ``(…,)``."""
    if isinstance(norm, nn.LayerNorm):
        return (residual_XD.float().var(-1, unbiased=False) + norm.eps).sqrt()
    epsilon: Any = norm.variance_epsilon
    length: torch.Tensor = (residual_XD.float().pow(2).mean(-1) + epsilon).sqrt()
    return length


@torch.no_grad()
def unembedding(model: Any) -> torch.Tensor:
    """Return the output head behind the final norm, shape ``(D, V)``, the norm's scale folded."""
    return fold_norm(final_norm(model), model.get_output_embeddings().weight.detach().T)
