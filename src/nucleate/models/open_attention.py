"""Attention that shows its weights and takes no longer than the fused kernels that hide them.

`transformers`' own eager attention reads and writes every weight half a dozen times; here each is
computed, masked and normalised in place, and most of those that a causal mask makes 0 are not
computed at all.

Shape legend: B rows, H heads, G heads that share keys, J groups of heads (H = J·G), T queries,
S keys, K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
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


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Attention weights of one layer, in blocks of queries that end with the last key they see.

    Attributes:
        flat: The blocks one after the other, each of shape ``(B, H, T of the block, S it sees)``.
        shape: Of all weights, ``(B, H, T, S)``.
        block: Queries of a block; the last one may have fewer.
    """

    flat: torch.Tensor
    shape: tuple[int, int, int, int]
    block: int

    def full(self) -> torch.Tensor:
        """Return all of them, those that no query of a block sees being 0; shape ``(B, H, T, S)``.

        A view where there is one block.
        """
        if self.block >= self.shape[2]:
            return self.flat.view(self.shape)
        out_BHTS = self.flat.new_zeros(self.shape)
        for first, last, seen, begin in _blocks(self.shape, self.block):
            part = (*self.shape[:2], last - first, seen)
            end = begin + math.prod(part)
            out_BHTS[:, :, first:last, :seen] = self.flat[begin:end].view(part)
        return out_BHTS

    def places(
        self, row_N: torch.Tensor, query_N: torch.Tensor, key_N: torch.Tensor
    ) -> torch.Tensor:
        """Return where in `flat` the weights of some links lie, head by head, shape ``(H, N)``.

        Args:
            row_N, query_N, key_N: Rows, queries and keys, each a key that its query may see.
        """
        head_H1 = torch.arange(self.shape[1], device=row_N.device)[:, None]
        each = torch.tensor(_blocks(self.shape, self.block), device=row_N.device)
        first_N, last_N, seen_N, begin_N = each[query_N // self.block].T
        row_HN = (row_N * self.shape[1] + head_H1) * (last_N - first_N) + query_N - first_N
        at_HN: torch.Tensor = begin_N + row_HN * seen_N + key_N
        return at_HN


def _blocks(shape: tuple[int, int, int, int], block: int) -> list[tuple[int, int, int, int]]:
    """Return of each block its first query, that behind its last, keys it sees, where it begins."""
    rows, heads, queries, keys = shape
    out, begin = [], 0
    for first in range(0, queries, block):
        last = min(first + block, queries)
        seen = last + keys - queries
        out.append((first, last, seen, begin))
        begin += rows * heads * (last - first) * seen
    return out


_BLOCK = 32
"""Queries of a block, on the CPU; a device is rather asked once than for less."""


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
) -> tuple[torch.Tensor, Weights]:
    """Return what the heads compute, ``(B, T, H, K)``, and their weights.

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
    by_blocks = mask is None and queries <= keys and q_BHTK.is_cpu
    shape, block = (rows, heads, queries, keys), _BLOCK if by_blocks else queries
    barred = _barred(mask, min(block, queries), keys, q_BHTK)
    blocks = _blocks(shape, block)
    first, last, seen, begin = blocks[-1]
    flat = q_BHTK.new_empty(begin + rows * heads * (last - first) * seen)
    q = q_BHTK.reshape(rows * groups, shared, queries, width)
    k, v = (x.reshape(rows * groups, keys, width) for x in (k_BJSK, v_BJSK))
    z_BTHK = q_BHTK.new_empty(rows, queries, heads, width)
    for first, last, seen, begin in blocks:
        count = last - first
        end = begin + rows * heads * count * seen
        weight = flat[begin:end].view(rows * groups, shared * count, seen)
        torch.baddbmm(
            weight,
            q[:, :, first:last].reshape(rows * groups, shared * count, width),
            k[:, :seen].mT,
            beta=0,
            alpha=width**-0.5 if scaling is None else scaling,
            out=weight,
        )
        if softcap:
            weight.div_(softcap).tanh_().mul_(softcap)
        some = seen if mask is not None else min(count, barred.shape[-1])
        part = weight.view(rows, groups, shared, count, seen)[..., seen - some :]
        part += barred[..., :count, :some]
        if weight.dtype == torch.float32:
            torch.softmax(weight, -1, out=weight)
        else:
            weight.copy_(torch.softmax(weight, -1, dtype=torch.float32))
        z = torch.bmm(weight, v[:, :seen])
        z_BTHK[:, first:last] = z.view(rows, heads, count, width).transpose(1, 2)
    return z_BTHK, Weights(flat, shape, block)


def _barred(mask: torch.Tensor | None, queries: int, keys: int, like: torch.Tensor) -> torch.Tensor:
    """Return what is added to scores, so that a query does not see what it must not see.

    Without a mask, to those of the last keys alone, as many as there are queries: each query sees
    all keys before them.
    """
    if mask is None:
        return _later(queries, min(queries, keys), like.dtype, like.device)
    if mask.dtype != torch.bool:
        return mask[:, :, None, :, :keys]
    lowest = torch.finfo(like.dtype).min
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(~mask, lowest)[:, :, None]


@lru_cache(maxsize=1)
def _later(queries: int, keys: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return what is added where keys come after a query; the same in all layers."""
    lowest = torch.full((queries, keys), torch.finfo(dtype).min, dtype=dtype, device=device)
    return lowest.triu_(keys - queries + 1)


AttentionInterface.register(_NAME, attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)
