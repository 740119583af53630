"""The residual stream of every layer, from one forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.probes.rest import at_rest

# Suffixes: L layers, B rows, T tokens, N chosen positions, D width.

Floats = NDArray[np.float32]


@torch.no_grad()
def residual_streams(
    model: Any, ids_BT: torch.Tensor, chosen_BT: torch.Tensor | None = None
) -> Floats:
    """Return the residual stream before each layer, and after the last one.

    Entry 0 is the embedding, entry l what layer l hands on; the last one is what the output head
    reads, so it has passed the final norm, as `transformers` returns it. The model is left as it
    was.

    Args:
        model: A causal `transformers` model.
        ids_BT: Token ids, shape ``(B, T)``, without padding.
        chosen_BT: Which positions to return, boolean, shape ``(B, T)``; all if left out.

    Returns:
        Activations in float32, shape ``(L + 1, N, D)``, positions row by row.
    """
    with at_rest(model), torch.no_grad():
        device = next(model.parameters()).device
        found = model.base_model(
            input_ids=ids_BT.to(device), output_hidden_states=True, use_cache=False
        )
        if chosen_BT is None:
            chosen_BT = torch.ones_like(ids_BT, dtype=torch.bool)
        where_N = chosen_BT.flatten().nonzero()[:, 0].to(device)
        layers = [state.flatten(0, 1)[where_N].float().cpu() for state in found.hidden_states]
    out: Floats = torch.stack(layers).numpy()
    return out
