"""What a run has cost, by part: modelled FLOPs, and wall-clock time that was measured."""

from __future__ import annotations

from typing import Any

from nucleate.core import LedgerEntry, Mark
from nucleate.models import flops_per_token
from nucleate.train.recipe import OptimizerSettings

_ADAMW_PER_PARAMETER = 14
"""Elementwise operations of one AdamW update: two moments, bias correction, root, decay, step."""
_NEWTON_SCHULZ_STEPS = 5


class Ledger:
    """Adds up FLOPs by part.

    Args:
        model: The model in training.
        context: Length of the training sequences, in tokens.
        settings: Which optimiser runs.
    """

    def __init__(self, model: Any, context: int, settings: OptimizerSettings) -> None:
        self._forward = flops_per_token(model.config, context)
        self._optimizer_step = optimizer_flops(model, settings)
        self.training_flops_per_token = 3 * sum(self._forward.values())
        self.forward_flops_per_token = sum(self._forward.values())

    def training_flops(self, tokens: int, steps: int) -> float:
        """FLOPs of training on `tokens` in `steps` optimiser steps."""
        return self.training_flops_per_token * tokens + self._optimizer_step * steps

    def entries(
        self, tokens: int, steps: int, probe_flops: float, seconds: dict[str, float]
    ) -> list[LedgerEntry]:
        """Return every part with its FLOPs; `seconds` gives measured times by part."""
        entries = [
            LedgerEntry(f"{part} (forward)", flops * tokens)
            for part, flops in self._forward.items()
            if flops
        ]
        entries.append(LedgerEntry("backward", 2 * self.forward_flops_per_token * tokens))
        entries.append(LedgerEntry("optimiser", self._optimizer_step * steps))
        entries.append(LedgerEntry("probes", probe_flops, seconds.get("probes", float("nan"))))
        timed = [
            LedgerEntry(part, 0.0, spent, Mark.MEASURED)
            for part, spent in seconds.items()
            if part != "probes"
        ]
        return entries + timed


def optimizer_flops(model: Any, settings: OptimizerSettings) -> float:
    """Model the FLOPs of one optimiser step.

    AdamW: `_ADAMW_PER_PARAMETER` elementwise operations a parameter. Muon, for an m × n matrix with
    m ≤ n: five Newton-Schulz iterations of three products, 2(m²n + m³ + m²n) each.
    """
    embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    total = 0.0
    for parameter in model.parameters():
        if settings.kind == "muon" and parameter.ndim == 2 and id(parameter) not in embeddings:
            m, n = sorted(parameter.shape)
            total += _NEWTON_SCHULZ_STEPS * 2.0 * (2 * m * m * n + m**3) + 4 * parameter.numel()
        else:
            total += _ADAMW_PER_PARAMETER * parameter.numel()
    return total
