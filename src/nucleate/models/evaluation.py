"""Borrow a model in evaluation mode, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nucleate.core import preserved_random_state


@contextmanager
def held_still(model: Any) -> Iterator[Any]:
    """Lend a module in evaluation mode and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Modes are set without `eval()`, which some modules override.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device.type
    try:
        with preserved_random_state(), torch.autocast(device, enabled=False):
            for module, _ in modes:
                module.training = False
            yield model
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def evaluating(model: Any) -> Iterator[Any]:
    """Lend a model held still and without gradients.

    Weights, gradients, buffers and optimiser state are never written: a forward pass without
    gradients in evaluation mode has nowhere to write to.
    """
    with held_still(model), torch.no_grad():
        yield model
