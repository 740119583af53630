"""Logit lens: what the output head would say of each layer's residual stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import CheckpointError
from nucleate.probes.rest import at_rest

# Suffixes: L layers, N positions, D width, V vocabulary.

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """How far each layer's guess is from the model's own answer.

    Attributes:
        kl_L: Mean ``KL(final ‖ layer)`` in nats, of the embedding and then of each layer; the last
            is 0.
        se_L: Standard errors over rows.
        depth: First layer whose value is below a share of the embedding's (NaN if that is 0).
        share: The share.
    """

    kl_L: Array
    se_L: Array
    depth: float
    share: float

    @property
    def relative_depth(self) -> float:
        """`depth` as a share of all layers."""
        return self.depth / (len(self.kl_L) - 1)


def logit_lens(model: Any, ids_BT: torch.Tensor, *, share: float = 0.1, block: int = 1024) -> Lens:
    """Read every layer through the final norm and the output head of the same checkpoint.

    Args:
        model: A causal `transformers` model; it is left as it was.
        ids_BT: Token ids, shape ``(B, T)``, without padding.
        share: See `Lens.depth`.
        block: Positions whose logits are held at a time.

    Raises:
        CheckpointError: The model has no final norm under a known name.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; direction of the divergence as
    in Belrose et al. 2023 (arXiv:2303.08112).
    """
    norm, head = _final_norm(model), model.get_output_embeddings()
    with at_rest(model), torch.no_grad():
        device = next(model.parameters()).device
        states = model.base_model(
            input_ids=ids_BT.to(device), output_hidden_states=True, use_cache=False
        ).hidden_states
        final_ND, kl_LB = states[-1].flatten(0, 1), []
        for state_BTD in states[:-1]:
            kl_N = _divergence(final_ND, state_BTD.flatten(0, 1), norm, head, block)
            kl_LB.append(kl_N.view(ids_BT.shape).mean(1).cpu().numpy())
    kl_LB.append(np.zeros(len(ids_BT)))
    return summary(np.array(kl_LB, dtype=np.float64), share)


def summary(kl_LB: Array, share: float) -> Lens:
    """Average divergences over rows and find the depth; shape ``(L, B)``, nats."""
    kl_L, rows = kl_LB.mean(1), kl_LB.shape[1]
    se_L = kl_LB.std(1, ddof=1) / math.sqrt(rows) if rows > 1 else np.full(len(kl_L), math.nan)
    below = np.flatnonzero(kl_L < share * kl_L[0])
    return Lens(kl_L, se_L, float(below[0]) if len(below) else math.nan, share)


def _divergence(
    final_ND: torch.Tensor, state_ND: torch.Tensor, norm: Any, head: Any, block: int
) -> torch.Tensor:
    parts = []
    for final, state in zip(
        torch.split(final_ND, block), torch.split(state_ND, block), strict=True
    ):
        log_p = torch.log_softmax(head(final).float(), -1)
        log_q = torch.log_softmax(head(norm(state)).float(), -1)
        parts.append((log_p.exp() * (log_p - log_q)).sum(-1))
    return torch.cat(parts)


def _final_norm(model: Any) -> Any:
    for name in ("norm", "final_layer_norm", "ln_f"):
        if hasattr(model.base_model, name):
            return getattr(model.base_model, name)
    raise CheckpointError(
        "the final norm has no known name",
        got=type(model.base_model).__name__,
        expected="norm, final_layer_norm or ln_f",
    )
