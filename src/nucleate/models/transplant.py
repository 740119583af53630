"""Move weights from one model into another: whatever a parameter's parent gives, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import PretrainedConfig

from nucleate.core import preserved_random_state


def fresh(model_class: Any, config: PretrainedConfig, seed: int) -> Any:
    """Return a model with weights drawn from `seed`, on the CPU and in float32."""
    with preserved_random_state(), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        return model_class(config).float()


@torch.no_grad()
def transplant(new: Any, old: Any, parent: Callable[[str], str | None]) -> dict[Any, Any]:
    """Copy weights from `old` into `new`.

    Args:
        new: Model that receives; what has no parent keeps its own weights.
        old: Model that gives.
        parent: From the name of a parameter of `new` to the one of `old` that it takes after.

    Returns:
        From each new parameter to its parent, as `Training.replace` takes them.
    """
    givers = dict(old.named_parameters())
    parents = {}
    for name, parameter in new.named_parameters():
        source = parent(name)
        if source is not None:
            parameter.copy_(givers[source])
            parents[parameter] = givers[source]
    return parents
