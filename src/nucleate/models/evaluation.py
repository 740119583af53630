"""Borrow a model in evaluation mode, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import torch

from nucleate.core import preserved_random_state


@contextmanager
def held_still(model: Any) -> Iterator[Any]:
    """Lend a module in evaluation mode and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Modes are set without `eval()`, which some modules override. Hooks and attributes that
    came in between are taken away again: `transformers` leaves a hook on every layer once hidden
    states were asked for.
    """
    found = [_noted(module) for module in _modules(model)]
    device = next(model.parameters()).device.type
    try:
        with preserved_random_state(), torch.autocast(device, enabled=False):
            for module, training, _, _ in found:
                if training:
                    module.training = False
            yield model
    finally:
        for module, training, attributes, hooks in found:
            if module.training != training:
                module.training = training
            _reshape(module, attributes, hooks)


_Noted = tuple[Any, bool, list[str], list[set[int]] | None]
"""A module, its mode, its attributes, and which hooks it has of each kind (None: not one)."""

_kinds = itemgetter(
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def _modules(model: Any) -> list[Any]:
    """Return what `model.modules()` yields, in any order: a look at a small model waits for it."""
    found, known = [model], {model}
    for module in found:  # grows as it goes
        for child in module._modules.values():
            if child is not None and child not in known:
                known.add(child)
                found.append(child)
    return found


def _noted(module: Any) -> _Noted:
    there = vars(module)
    kinds = _kinds(there)
    return module, module.training, list(there), [*map(set, kinds)] if any(kinds) else None


def _reshape(module: Any, attributes: list[str], hooks: list[set[int]] | None) -> None:
    """Take away what a module did not have."""
    there = vars(module)
    kinds = _kinds(there)
    if any(kinds):
        for kind, known in zip(kinds, hooks or [set()] * len(kinds), strict=True):
            for key in [key for key in kind if key not in known]:
                del kind[key]
    if list(there) != attributes:
        for name in there.keys() - set(attributes):
            del there[name]


@contextmanager
def evaluating(model: Any) -> Iterator[Any]:
    """Lend a model held still and without gradients.

    Weights, gradients, buffers and optimiser state are never written: a forward pass without
    gradients in evaluation mode has nowhere to write to.
    """
    with held_still(model), torch.no_grad():
        yield model
