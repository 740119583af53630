"""Logit lens: what the output head would say of each layer's residual stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import CheckpointError
from nucleate.models.evaluation import evaluating
from nucleate.models.output import logits_of
from nucleate.probes.geometry.streams import residual_streams

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


def logit_lens(
    model: Any,
    ids_BT: torch.Tensor,
    chosen_BT: torch.Tensor | None = None,
    *,
    share: float = 0.1,
    block: int = 1024,
) -> Lens:
    """Read every layer through the final norm and the output head of the same checkpoint.

    Args:
        model: A causal `transformers` model; it is left as it was.
        ids_BT: Token ids, shape ``(B, T)``, without padding.
        chosen_BT: Which positions to read, boolean, same shape; all if left out. A row's value is
            the mean over its own; rows without any do not count.
        share: See `Lens.depth`.
        block: Positions whose logits are held at a time.

    Raises:
        CheckpointError: The model has no final norm under a known name.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; direction of the divergence as
    in Belrose et al. 2023 (arXiv:2303.08112).
    """
    _final_norm(model)
    if chosen_BT is None:
        chosen_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    states_LND = residual_streams(model, ids_BT, chosen_BT)
    row_N = chosen_BT.nonzero()[:, 0]
    return lens_of_streams(model, torch.from_numpy(states_LND), row_N, share=share, block=block)


@torch.no_grad()
def lens_of_streams(
    model: Any,
    states_LND: torch.Tensor,
    row_N: torch.Tensor,
    *,
    share: float = 0.1,
    block: int = 1024,
) -> Lens:
    """Return `logit_lens` of residual streams that a pass has already read.

    Args:
        model: The model they are of.
        states_LND: As `residual_streams` returns them: the last has passed the final norm.
        row_N: Row of each position.
        share: See `Lens.depth`.
        block: Positions whose logits are held at a time.
    """
    norm, head = _final_norm(model), model.get_output_embeddings()
    with evaluating(head, norm, draws=False):  # nothing else is run
        states_LND = states_LND.to(head.weight)
        kl_LN = _divergences(model, states_LND, norm, block).double().cpu()
    of_B = torch.bincount(row_N)
    kl_LB = torch.zeros(len(states_LND), len(of_B), dtype=torch.double)
    kl_LB[:-1].index_add_(1, row_N, kl_LN)
    there_B = of_B > 0
    return summary((kl_LB / of_B)[:, there_B].numpy(), share)


def summary(kl_LB: Array, share: float) -> Lens:
    """Average divergences over rows and find the depth; shape ``(L, B)``, nats."""
    rows = kl_LB.shape[1]
    kl_L, se_L = kl_LB.sum(1) / rows, np.full(len(kl_LB), math.nan)
    if rows > 1:
        off_LB = kl_LB - kl_L[:, None]
        se_L = np.sqrt((off_LB * off_LB).sum(1) / (rows * (rows - 1)))
    below = np.flatnonzero(kl_L < share * kl_L[0])
    return Lens(kl_L, se_L, float(below[0]) if len(below) else math.nan, share)


def _divergences(model: Any, states_LND: torch.Tensor, norm: Any, block: int) -> torch.Tensor:
    """Return ``KL(final ‖ layer)`` of all layers but the last at every position."""
    parts = []
    for state_LND in torch.split(states_LND, block, dim=1):
        logits_NV = logits_of(model, state_LND[-1]).float()
        p_NV = torch.softmax(logits_NV, -1)
        own_N = torch.log_softmax(logits_NV, -1, out=logits_NV).mul_(p_NV).sum(-1)
        found = []
        for state_ND in state_LND[:-1]:
            logits_NV = logits_of(model, norm(state_ND)).float()
            log_q_NV = torch.log_softmax(logits_NV, -1, out=logits_NV)
            found.append(log_q_NV.mul_(p_NV).sum(-1))
        parts.append(own_N - torch.stack(found))
    return torch.cat(parts, 1)


def _final_norm(model: Any) -> Any:
    for name in ("norm", "final_layer_norm", "ln_f"):
        if hasattr(model.base_model, name):
            return getattr(model.base_model, name)
    raise CheckpointError(
        "the final norm has no known name",
        got=type(model.base_model).__name__,
        expected="norm, final_layer_norm or ln_f",
    )
