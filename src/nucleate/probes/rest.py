"""Hold a module still while its gradients are measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from nucleate.models.evaluation import held_still

_ALL = (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION)


@contextmanager
def at_rest(model: Any, *, fused: bool = True) -> Iterator[None]:
    """Hold a module still, with gradients; then as it was.

    Args:
        model: Any module.
        fused: Whether fused attention kernels may run; they know no second derivative and no vmap.
    """
    backends = list(_ALL) if fused else [SDPBackend.MATH]
    with held_still(model), torch.enable_grad(), sdpa_kernel(backends):
        yield
