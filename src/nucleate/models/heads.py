"""Attention heads of every known architecture: where they are, and their weights in one layout.

Weights act on row vectors: a query is ``x_D @ q_DK``, what a head writes is ``z_K @ o_KD``.

Shape legend: L layers, H heads, D width of the residual stream, K width of a head, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nucleate.models.families import FAMILIES, family_of
from nucleate.models.norms import fold_behind, fold_heads, fold_norm, norm_length
from nucleate.models.output import logit_factor

KNOWN = tuple(FAMILIES)
"""Model types whose heads can be read and changed."""


@dataclass(frozen=True, slots=True)
class AttentionParts:
    """The modules of one layer's attention.

    Attributes:
        layer: The whole decoder layer.
        attention: Gives ``(output, pattern)``; the pattern only where attention shows it.
        out: Output projection; its input is what all heads computed, side by side.
        norm: The norm through which attention reads the residual stream; None where it reads the
            stream itself.
        behind: The norm that what attention writes passes before it enters the residual stream,
            or None.
        scale: What is multiplied by before it enters the residual stream.
    """

    layer: nn.Module
    attention: Any
    out: Any
    norm: nn.Module | None
    behind: nn.Module | None = None
    scale: float = 1.0


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
    family = family_of(model)
    scale = float(getattr(model.config, family.scale)) if family.scale else 1.0
    return [
        AttentionParts(
            layer,
            attention := getattr(layer, family.attention),
            getattr(attention, family.out),
            getattr(layer, family.norm) if family.norm else None,
            getattr(layer, family.behind) if family.behind else None,
            scale,
        )
        for layer in getattr(model.base_model, family.layers)
    ]


def by_head(z_BTX: torch.Tensor, heads: int) -> torch.Tensor:
    """Return what the heads of a layer computed, side by side, as ``(B, T, H, K)``."""
    return z_BTX.reshape(*z_BTX.shape[:-1], heads, -1)


def final_norm(model: Any) -> nn.Module:
    """Return the norm between the last layer and the output head."""
    found: nn.Module = getattr(model.base_model, family_of(model).final)
    return found


def head_shape(model: Any) -> tuple[int, int, int]:
    """Return ``(L, H, K)``.

    Raises:
        UserError: An architecture whose heads are not known.
    """
    family_of(model)
    config = model.config
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, heads, width


@torch.no_grad()
def head_weights(model: Any, layer: int, *, fold: bool = True) -> HeadWeights:
    """Return the weights of a layer's heads, without biases.

    Where values are clipped (`clip_qkv`) they are those of what is within the bounds.

    Args:
        model: A model of one of the `KNOWN` types.
        layer: Which layer.
        fold: Put the scale of the norm before attention into the weights that read through it
            (and its centring, where it is a LayerNorm), so that they act on the residual stream
            divided by its length; the scales of norms of queries and keys likewise, whose lengths
            are left out; and `output_weights` for what is written.
    """
    parts = attention_parts(model)[layer]
    q, k, v = _projections(model, parts.attention, fold)
    _, heads, width = head_shape(model)
    o = _output(parts.out, heads, width, transposed=family_of(model).qkv == "transposed")
    if fold:
        o = _as_written(parts, o)
        if parts.norm is not None:
            q, k, v = (fold_norm(parts.norm, weight) for weight in (q, k, v))
    return HeadWeights(*(weight.detach() for weight in (q, k, v, o)))  # views would want gradients


@torch.no_grad()
def output_weights(model: Any, layer: int) -> torch.Tensor:
    """Return the weights by which a layer's heads write to the residual stream, ``(H, K, D)``.

    The scale of a norm behind attention is folded in, and what all is multiplied by; what is
    written is then divided by `written_length`. Where there is neither it is a view.
    """
    return written_by(model, attention_parts(model)[layer : layer + 1])[0]


@torch.no_grad()
def written_by(model: Any, parts: Sequence[AttentionParts]) -> list[torch.Tensor]:
    """Return `output_weights` of some layers."""
    transposed, (_, heads, width) = family_of(model).qkv == "transposed", head_shape(model)
    return [
        _as_written(part, _output(part.out, heads, width, transposed=transposed)).detach()
        for part in parts
    ]


@torch.no_grad()
def written_length(parts: AttentionParts, z_XHK: torch.Tensor) -> torch.Tensor | None:
    """Return what the norm behind attention divides by at each place, shape ``(…,)``.

    None where there is no such norm.
    """
    if parts.behind is None:
        return None
    written_XD = nn.functional.linear(z_XHK.flatten(-2), parts.out.weight, parts.out.bias)
    return norm_length(parts.behind, written_XD)


def _as_written(parts: AttentionParts, o_HKD: torch.Tensor) -> torch.Tensor:
    if parts.behind is not None:
        o_HKD = fold_behind(parts.behind, o_HKD)
    return o_HKD if parts.scale == 1 else o_HKD * parts.scale


def _output(out: nn.Module, heads: int, width: int, *, transposed: bool) -> torch.Tensor:
    weight: Any = out.weight
    if transposed:
        weight = weight.unflatten(0, (heads, width))
    else:
        weight = weight.unflatten(1, (heads, width)).permute(1, 2, 0)
    found: torch.Tensor = weight
    return found


def _projections(model: Any, attention: Any, fold: bool) -> tuple[torch.Tensor, ...]:
    """Return the weights to queries, keys and values, each ``(H, D, K)``.

    With `fold`, those to queries and keys are as they are behind norms of their own.
    """
    _, heads, width = head_shape(model)
    family = family_of(model)
    if family.qkv == "transposed":
        return tuple(attention.c_attn.weight.unflatten(1, (3, heads, width)).permute(1, 2, 0, 3))
    if family.qkv == "by head":
        packed = attention.query_key_value.weight.unflatten(0, (heads, 3, width))
        return tuple(packed.permute(1, 0, 3, 2))
    if family.qkv == "stacked":
        shared = model.config.num_key_value_heads
        rows = attention.qkv_proj.weight.split([n * width for n in (heads, shared, shared)])
    else:
        rows = [x.weight for x in (attention.q_proj, attention.k_proj, attention.v_proj)]
    found = []
    for row_XD, name in zip(rows, (*family.qk_norms, ""), strict=True):
        weight_JDK = row_XD.unflatten(0, (-1, width)).transpose(1, 2)
        norm = getattr(attention, name, None) if fold and name else None
        if norm is not None:
            weight_JDK = fold_heads(norm, weight_JDK)
        found.append(weight_JDK.repeat_interleave(heads // len(weight_JDK), 0))
    return tuple(found)


@torch.no_grad()
def unembedding(model: Any) -> torch.Tensor:
    """Return the output head behind the final norm, shape ``(D, V)``, the norm's scale folded.

    What the model multiplies its logits by is in it; a cap on them (Gemma 2) is not.
    """
    return folded_head(model, model.get_output_embeddings().weight.detach().T)


@torch.no_grad()
def folded_head(model: Any, head_DX: torch.Tensor) -> torch.Tensor:
    """Return sums of rows of the output head, ``(D, X)``, as `unembedding` folds all of them."""
    folded_DX = fold_norm(final_norm(model), head_DX)
    factor = logit_factor(model)
    return folded_DX if factor == 1 else folded_DX * factor
