"""Borrow a model in evaluation mode, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from operator import itemgetter
from typing import Any

import torch

from nucleate.core import preserved_random_state


@contextmanager
def held_still(model: Any, *, draws: bool = True) -> Iterator[Any]:
    """Lend a module in evaluation mode and outside autocast.

    Afterwards every module is in the mode it was in, and every random generator in the state it
    was in. Modes are set without `eval()`, which some modules override. Hooks and attributes that
    came in between are taken away again, and attributes and buffers that were replaced come back:
    `transformers` leaves a hook on every layer once hidden states were asked for, and dynamic
    rotary embeddings remember the longest sequence.

    Args:
        model: Any module.
        draws: Whether it may draw random numbers in evaluation mode; where it does not, generators
            are not looked after, which takes longer than a norm of a small model.
    """
    found = [_Noted(module) for module in _modules(model)]
    device = next(model.parameters()).device.type
    try:
        guarded = preserved_random_state() if draws else nullcontext()
        with guarded, torch.autocast(device, enabled=False):
            for noted in found:
                if noted.training:
                    noted.module.training = False
            if _BEFORE in vars(model):  # autocast that accelerate has put around the model
                model.forward = vars(model)[_BEFORE]
            yield model
    finally:
        for noted in found:
            noted.restore()


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


def _modules(model: Any) -> list[Any]:
    """Return what `model.modules()` yields, in any order: a look at a small model waits for it."""
    found, known = [model], {model}
    for module in found:  # grows as it goes
        for child in module._modules.values():
            if child is not None and child not in known:
                known.add(child)
                found.append(child)
    return found


class _Noted:
    """A module with its mode, attributes, buffers, and which hooks it has of each kind, if any."""

    __slots__ = ("attributes", "buffers", "hooks", "module", "training")

    def __init__(self, module: Any) -> None:
        self.module, self.training = module, module.training
        self.attributes = dict(vars(module))
        self.buffers = dict(self.attributes["_buffers"])
        kinds = _kinds(self.attributes)
        self.hooks = [set(kind) for kind in kinds] if any(kinds) else None

    def restore(self) -> None:
        """Take away what the module did not have, and bring back what it had."""
        if self.module.training != self.training:
            self.module.training = self.training
        there = vars(self.module)
        kinds = _kinds(there)
        if any(kinds):
            for kind, known in zip(kinds, self.hooks or [set()] * len(kinds), strict=True):
                for key in [key for key in kind if key not in known]:
                    del kind[key]
        for now, then in ((there, self.attributes), (there["_buffers"], self.buffers)):
            now.update(then)
            if len(now) > len(then):
                for name in now.keys() - then.keys():
                    del now[name]


@contextmanager
def evaluating(model: Any, *, draws: bool = True) -> Iterator[Any]:
    """Lend a model held still and without gradients.

    Weights, gradients, buffers and optimiser state are never written: a forward pass without
    gradients in evaluation mode has nowhere to write to.
    """
    with held_still(model, draws=draws), torch.no_grad():
        yield model
