"""From what the output head reads to logits, with what a model does to logits behind its head."""

from __future__ import annotations

from typing import Any

import torch


def logits_of(model: Any, hidden_XD: torch.Tensor) -> torch.Tensor:
    """Return a model's logits ``(…, V)`` of what is behind its final norm, ``(…, D)``.

    They are multiplied and capped as the config says (Granite, Cohere; Gemma 2).
    """
    logits: torch.Tensor = model.get_output_embeddings()(hidden_XD)
    factor, cap = logit_factor(model), getattr(model.config, "final_logit_softcapping", None)
    if factor != 1:
        logits = logits * factor
    return logits if cap is None else torch.tanh(logits / cap) * cap


def logit_factor(model: Any) -> float:
    """Return by how much a model multiplies what its output head says."""
    config = model.config
    if config.model_type.startswith("granite"):
        return 1 / float(config.logits_scaling)
    return float(config.logit_scale) if config.model_type.startswith("cohere") else 1.0
