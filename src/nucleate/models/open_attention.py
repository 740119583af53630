"""Attention that shows its weights and takes no longer than the fused kernels that hide them.

`transformers`' own eager attention reads and writes every weight half a dozen times; here each is
computed, masked and normalised in place.

Shape legend: B rows, H heads, G heads that share keys, J groups of heads (H = J·G), T queries,
S keys, K width of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

_NAME = "nucleate_open"


@contextmanager
def open_attention(model: Any) -> Iterator[None]:
    """Let a model's attention show its weights, without gradients, and put back what was used."""
    config = model.config
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


@torch.no_grad()
def attend(
    module: Any,
    q_BHTK: torch.Tensor,
    k_BJSK: torch.Tensor,
    v_BJSK: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the heads compute, ``(B, T, H, K)``, and their weights, ``(B, H, T, S)``.

    Args:
        module: The attention that asks.
        q_BHTK: Queries.
        k_BJSK: Keys; each group of heads shares them.
        v_BJSK: Values, likewise.
        mask: Which keys each query sees, ``(B or 1, 1, T, S)``, as booleans or as what is added to
            scores; None where each sees those before it and itself.
        scaling: What scores are multiplied by; ``1/√K`` when left out.
        softcap: What scores are kept within, by a hyperbolic tangent (Gemma 2); not when left out.
    """
    rows, heads, queries, width = q_BHTK.shape
    groups, keys = k_BJSK.shape[1:3]
    shared = heads // groups
    barred = _barred(mask, queries, keys, q_BHTK)
    added = (
        barred.expand(rows, heads, queries, keys).reshape(rows * groups, shared * queries, keys)
        if mask is not None
        else barred.repeat(1, shared, 1)
    )
    weight = torch.baddbmm(
        added,
        q_BHTK.reshape(rows * groups, shared * queries, width),
        k_BJSK.reshape(rows * groups, keys, width).mT,
        beta=0 if softcap else 1,
        alpha=width**-0.5 if scaling is None else scaling,
    )
    if softcap:
        weight = weight.div_(softcap).tanh_().mul_(softcap).add_(added)
    if weight.dtype == torch.float32:
        torch.softmax(weight, -1, out=weight)
    else:
        weight = torch.softmax(weight, -1, dtype=torch.float32).to(weight.dtype)
    z = torch.bmm(weight, v_BJSK.reshape(rows * groups, keys, width))
    z_BTHK = z.reshape(rows, heads, queries, width).transpose(1, 2)
    return z_BTHK, weight.reshape(rows, heads, queries, keys)


def _barred(mask: torch.Tensor | None, queries: int, keys: int, like: torch.Tensor) -> torch.Tensor:
    """Return what is added to scores, so that a query does not see what it must not see."""
    lowest = torch.finfo(like.dtype).min
    if mask is None:
        sees = torch.ones(queries, keys, dtype=torch.bool, device=like.device)
        mask = sees.tril(keys - queries)[None]
    if mask.dtype != torch.bool:
        return mask[..., :keys]
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(~mask, lowest)


AttentionInterface.register(_NAME, attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)
