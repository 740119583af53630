"""Optimisers by name: AdamW, and Muon for the matrices with AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch

from nucleate.core import RecipeError
from nucleate.train.recipe import OptimizerSettings


def make_optimizers(model: Any, settings: OptimizerSettings) -> dict[str, torch.optim.Optimizer]:
    """Build the optimisers of a model.

    Muon takes the two-dimensional weights between embedding and head (Jordan et al. 2024); all the
    rest, and everything under ``adamw``, goes to AdamW. Only matrices decay. Experts that
    transformers keeps fused in one three-dimensional weight count as the rest.

    Raises:
        RecipeError: Muon is asked for and this torch has none (it came with 2.9).
    """
    embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    inner = [p for p in parameters if p.ndim == 2 and id(p) not in embeddings]
    optimizers: dict[str, torch.optim.Optimizer] = {}
    rest = parameters
    if settings.kind == "muon":
        refuse_missing_muon(settings)
        taken = {id(p) for p in inner}
        rest = [p for p in parameters if id(p) not in taken]
        optimizers["muon"] = torch.optim.Muon(
            inner,
            lr=settings.matrix_lr,
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
        )
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers["adamw"] = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.lr,
        betas=settings.betas,
        fused=True,
    )
    return optimizers


def refuse_missing_muon(settings: OptimizerSettings) -> None:
    """Refuse Muon where this torch has none.

    Raises:
        RecipeError: It came with torch 2.9.
    """
    if settings.kind == "muon" and not hasattr(torch.optim, "Muon"):
        raise RecipeError(
            "this torch has no Muon",
            where="optimizer.kind",
            got=torch.__version__,
            expected="torch ≥ 2.9",
            fix="set it to adamw, or pass --optimizer adamw",
        )


def peak_rates(optimizers: dict[str, torch.optim.Optimizer]) -> list[tuple[dict[str, Any], float]]:
    """Return every parameter group with its peak learning rate."""
    return [(group, group["lr"]) for opt in optimizers.values() for group in opt.param_groups]
