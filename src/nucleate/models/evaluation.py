"""Borrow a model in evaluation mode, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import Any

import torch

from nucleate.core import preserved_random_state


@contextmanager
def held_still(model: Any, *others: Any, draws: bool = True) -> Iterator[Any]:
    """Lend a module in evaluation mode and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Modes are set without `eval()`, which some modules override. Hooks and attributes that
    came in between are taken away again, and attributes and buffers that were replaced come back:
    `transformers` leaves a hook on every layer once hidden states were asked for, and dynamic
    rotary embeddings remember the longest sequence.

    Args:
        model: Any module.
        others: Modules that are held still with it.
        draws: Whether they may draw random numbers in evaluation mode; where they do not,
            generators are not looked after, which takes longer than a norm of a small model.
    """
    modules = _modules(model, *others)
    noted = [_noted(vars(module)) for module in modules]
    device = next(model.parameters()).device.type
    try:
        guarded = preserved_random_state() if draws else nullcontext()
        with guarded, torch.autocast(device, enabled=False):
            for module in modules:
                if module.training:
                    module.training = False
            if _BEFORE in vars(model):  # autocast that accelerate has put around the model
                model.forward = vars(model)[_BEFORE]
            yield model
    finally:
        for module, then in zip(modules, noted, strict=True):
            _restore(vars(module), *then)


_BEFORE = "_original_forward"
"""Where accelerate keeps the forward of a model that it has put autocast around."""

_kinds = itemgetter(
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def _modules(*models: Any) -> list[Any]:
    """Return what their `modules()` yield, in any order: a look at a small model waits for it."""
    found, known = list(models), set(models)
    for module in found:  # grows as it goes
        for child in module._modules.values():
            if child is not None and child not in known:
                known.add(child)
                found.append(child)
    return found


_Hooks = list[set[Any]] | None


def _noted(there: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], _Hooks]:
    """Return a module's attributes, its mode among them, buffers, and hooks of each kind if any."""
    kinds = _kinds(there)
    return there.copy(), there["_buffers"].copy(), [*map(set, kinds)] if any(kinds) else None


def _restore(
    there: dict[str, Any], attributes: dict[str, Any], buffers: dict[str, Any], hooks: _Hooks
) -> None:
    """Take away what a module did not have, and bring back what it had."""
    kinds = _kinds(there)
    if any(kinds):
        for kind, known in zip(kinds, hooks or [set()] * len(kinds), strict=True):
            for key in [key for key in kind if key not in known]:
                del kind[key]
    for now, then in ((there, attributes), (there["_buffers"], buffers)):
        now.update(then)
        if len(now) > len(then):
            for name in now.keys() - then.keys():
                del now[name]


@contextmanager
def evaluating(model: Any, *others: Any, draws: bool = True) -> Iterator[Any]:
    """Lend a model held still (`held_still`) and without gradients.

    Weights, gradients, buffers and optimiser state are never written: a forward pass without
    gradients in evaluation mode has nowhere to write to.
    """
    with held_still(model, *others, draws=draws), torch.no_grad():
        yield model
