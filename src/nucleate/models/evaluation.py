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
    was in. Modes are set without `eval()`, which some modules override. Hooks and attributes that
    came in between are taken away again, and attributes and buffers that were replaced come back:
    `transformers` leaves a hook on every layer once hidden states were asked for, and dynamic
    rotary embeddings remember the longest sequence.
    """
    found = [(module, module.training, _shape_of(module)) for module in model.modules()]
    device = next(model.parameters()).device.type
    try:
        with preserved_random_state(), torch.autocast(device, enabled=False):
            for module, _, _ in found:
                module.training = False
            yield model
    finally:
        for module, training, shape in found:
            module.training = training
            _reshape(module, *shape)


_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def _shape_of(module: Any) -> tuple[dict[str, Any], dict[str, Any], list[set[int]]]:
    """Return the attributes and buffers of a module, and which hooks it has of each kind."""
    attributes = dict(vars(module))
    return attributes, dict(attributes["_buffers"]), [set(attributes[kind]) for kind in _HOOKS]


def _reshape(
    module: Any, attributes: dict[str, Any], buffers: dict[str, Any], hooks: list[set[int]]
) -> None:
    """Take away what a module did not have, and bring back what it had."""
    for kind, known in zip(_HOOKS, hooks, strict=True):
        there = vars(module)[kind]
        for key in [key for key in there if key not in known]:
            del there[key]
    for now, then in ((vars(module), attributes), (vars(module)["_buffers"], buffers)):
        for name in now.keys() - then.keys():
            del now[name]
        now.update(then)


@contextmanager
def evaluating(model: Any) -> Iterator[Any]:
    """Lend a model held still and without gradients.

    Weights, gradients, buffers and optimiser state are never written: a forward pass without
    gradients in evaluation mode has nowhere to write to.
    """
    with held_still(model), torch.no_grad():
        yield model
