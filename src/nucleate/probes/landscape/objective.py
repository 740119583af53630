"""A loss as a function of the parameters of a module that is never written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from nucleate.core import DataError

# Suffixes: B rows of a batch, N rows of the data, T tokens, V vocabulary.

Loss = Callable[[Any, Any], torch.Tensor]
"""``loss(module, batch) -> mean loss of the batch``, a scalar."""

Data = Any
"""Rows: a tensor, or a tuple or dict of tensors, that share their first dimension."""


def token_loss(model: Any, ids_BT: torch.Tensor) -> torch.Tensor:
    """Return a causal `transformers` model's mean loss on the next token, in nats.

    Args:
        model: The model; its forward pass leaves nothing behind.
        ids_BT: Token ids, shape ``(B, T)``, without padding; on any device.
    """
    ids_BT = ids_BT.to(model.device)
    logits_BTV = model(input_ids=ids_BT, use_cache=False).logits
    return nn.functional.cross_entropy(
        logits_BTV[:, :-1].flatten(0, 1).float(), ids_BT[:, 1:].flatten()
    )


class Objective:
    """The loss of a module at any parameters, leaving module, buffers and gradients alone.

    The module is called with tensors in the place of its parameters, and with copies of its
    buffers.

    Args:
        model: Any torch module, outside wrappers such as DistributedDataParallel.
        loss: ``loss(module, batch) -> scalar``.
        only: Which parameters vary, by name; all floating-point ones by default.

    Attributes:
        names: Names of the parameters that vary, in order; shared ones stand once.
        start: The module's own values of them: the point w*, to be read only.
    """

    def __init__(self, model: Any, loss: Loss, only: Callable[[str], bool] | None = None) -> None:
        self.model, self._host = model, _Host(model, loss)
        every = {name: parameter.detach() for name, parameter in model.named_parameters()}
        own = {
            name: tensor
            for name, tensor in every.items()
            if tensor.is_floating_point() and (only is None or only(name))
        }
        if not own:
            raise DataError(
                "no parameter is left to vary",
                got=type(model).__name__,
                expected="a module with floating-point parameters",
            )
        self.names, self.start = tuple(own), tuple(own.values())
        self._keys = tuple(f"model.{name}" for name in own)
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        self._fixed = {f"model.{name}": tensor for name, tensor in (every | buffers).items()}

    @property
    def size(self) -> int:
        """Number of parameters that vary."""
        return sum(tensor.numel() for tensor in self.start)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        found: torch.device = self.start[0].device
        return found

    def __call__(self, parameters: Sequence[torch.Tensor], batch: Data) -> torch.Tensor:
        """Return the loss of a batch with these parameters in place of the module's own.

        The batch may lie on another device.
        """
        placed = self._fixed | dict(zip(self._keys, parameters, strict=True))
        found: torch.Tensor = functional_call(self._host, placed, (_on(self.device, batch),))
        return found

    def gradient(
        self, parameters: Sequence[torch.Tensor], batch: Data
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Return the loss of a batch and its gradient by each parameter."""
        loss = self(parameters, batch)
        return loss.detach(), torch.autograd.grad(loss, parameters, materialize_grads=True)

    def leaves(self) -> tuple[torch.Tensor, ...]:
        """Return w* as leaves that gradients can be taken by; they share the module's memory."""
        return tuple(tensor.detach().requires_grad_() for tensor in self.start)


def count(data: Data) -> int:
    """Return the number of rows of some data.

    Raises:
        DataError: Its tensors differ in their first dimension.
    """
    lengths = {len(tensor) for tensor in _tensors(data)}
    if len(lengths) != 1:
        raise DataError("tensors of one data set differ in length", got=sorted(lengths))
    return lengths.pop()


def take(data: Data, rows: torch.Tensor) -> Data:
    """Return rows of some data, in its own form; `rows` may have any shape."""
    if isinstance(data, torch.Tensor):
        return data[rows]
    if isinstance(data, dict):
        return {key: take(value, rows) for key, value in data.items()}
    return tuple(take(value, rows) for value in data)


def _on(device: torch.device, data: Data) -> Data:
    if isinstance(data, torch.Tensor):
        return data.to(device)
    if isinstance(data, dict):
        return {key: _on(device, value) for key, value in data.items()}
    return tuple(_on(device, value) for value in data)


class _Host(nn.Module):
    """Calls a loss with a module whose parameters `functional_call` replaces."""

    def __init__(self, model: Any, loss: Loss) -> None:
        super().__init__()
        self.model, self._loss = model, loss

    def forward(self, batch: Data) -> torch.Tensor:
        return self._loss(self.model, batch)


def _tensors(data: Data) -> Iterator[torch.Tensor]:
    if isinstance(data, torch.Tensor):
        yield data
        return
    for value in data.values() if isinstance(data, dict) else data:
        yield from _tensors(value)
