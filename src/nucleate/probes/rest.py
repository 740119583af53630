"""Hold a module still while it is measured, and leave its mode as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from nucleate.core import preserved_random_state


@contextmanager
def at_rest(model: Any, *, fused: bool = True) -> Iterator[None]:
    """Hold a module in evaluation mode, outside autocast, with gradients; then as it was.

    Global random states are put back. Modes are set without `eval()`, which some modules override.

    Args:
        fused: Whether fused attention kernels may run; they know no second derivative and no vmap.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device.type
    backends = list(_ALL) if fused else [SDPBackend.MATH]
    try:
        with (
            preserved_random_state(),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
            sdpa_kernel(backends),
        ):
            for module, _ in modes:
                module.training = False
            yield
    finally:
        for module, training in modes:
            module.training = training


_ALL = (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION)
