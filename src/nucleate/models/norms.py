"""What a norm does beyond dividing by a length: its scale and its centring, as part of weights.

Shape legend: D width of the residual stream, J heads, K width of a head, X anything.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_FROM_ZERO = {"GemmaRMSNorm", "Gemma2RMSNorm", "Gemma3RMSNorm"}
"""Norms whose scale is one more than their weight."""


def fold_norm(norm: nn.Module, weight_DX: torch.Tensor) -> torch.Tensor:
    """Return weights ``(…, D, X)`` behind a norm as they act on its input over its length."""
    scale = _scale(norm)
    folded = weight_DX if scale is None else weight_DX * scale[:, None]
    return folded - folded.mean(-2, keepdim=True) if _centres(norm) else folded


def fold_behind(norm: nn.Module, weight_XD: torch.Tensor) -> torch.Tensor:
    """Return weights ``(…, X, D)`` before a norm as they act on its output times its length."""
    scale = _scale(norm)
    folded = weight_XD - weight_XD.mean(-1, keepdim=True) if _centres(norm) else weight_XD
    return folded if scale is None else folded * scale


def norm_length(norm: nn.Module, residual_XD: torch.Tensor) -> torch.Tensor:
    """Return what a norm divides each residual by, shape ``(…,)``."""
    own: Any = norm
    residual_XD = residual_XD.float()
    if _centres(norm):
        epsilon = getattr(own, "eps", 1e-5)  # OLMo's has this one and no name for it
        return (residual_XD.var(-1, unbiased=False) + epsilon).sqrt()
    epsilon = own.variance_epsilon if hasattr(own, "variance_epsilon") else own.eps
    length: torch.Tensor = (residual_XD.pow(2).mean(-1) + epsilon).sqrt()
    return length


def fold_heads(norm: Any, weight_JDK: torch.Tensor) -> torch.Tensor:
    """Return weights to the queries or keys of J heads as they are behind a norm of those.

    Its length is left out. It is one norm of every head alike, one over all heads together, or a
    LayerNorm for each head.
    """
    heads, _, width = weight_JDK.shape
    if hasattr(norm, "norms"):
        weight_JDK = weight_JDK - weight_JDK.mean(-1, keepdim=True)
        return weight_JDK * torch.stack([each.weight for each in norm.norms])[:, None]
    scale: Any = _scale(norm)
    folded: torch.Tensor = weight_JDK * (
        scale if len(scale) == width else scale.view(heads, 1, width)
    )
    return folded


def _scale(norm: Any) -> torch.Tensor | None:
    weight: torch.Tensor | None = getattr(norm, "weight", None)
    return weight + 1 if weight is not None and type(norm).__name__ in _FROM_ZERO else weight


def _centres(norm: nn.Module) -> bool:
    return isinstance(norm, nn.LayerNorm) or type(norm).__name__ == "OlmoLayerNorm"
