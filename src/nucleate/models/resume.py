"""A forward pass that is kept, so that it can go on from any layer with something changed.

What stands before a change is computed once, however many changes are tried: all heads of a layer
are changed in one batch, and only the layers from there on run again.

Shape legend: B rows of the kept pass, N rows that go on, T tokens, H heads, K width of a head,
D width of the residual stream.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch

from nucleate.models.evaluation import evaluating
from nucleate.models.heads import attention_parts, by_head, final_norm, head_shape


class KeptPass:
    """One forward pass over some rows, ready to go on from any layer.

    Args:
        model: A model of a known type (`models.heads.KNOWN`); must not change while this is used.
        ids_BT: Token ids, padded on the right only.

    Attributes:
        residuals: The residual stream that enters each layer, ``(B, T, D)`` each, and last the
            one behind all layers.
        z: What the heads of each layer computed, ``(B, T, H, K)`` each.
        hidden_BTD: Behind the final norm: what the output head reads.
    """

    def __init__(self, model: Any, ids_BT: torch.Tensor) -> None:
        self.model, self._parts = model, attention_parts(model)
        self.residuals: list[torch.Tensor] = []
        self.z: list[torch.Tensor] = []
        self._rest: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._norm = final_norm(model)
        self._rows = len(ids_BT)
        heads = head_shape(model)[1]

        def enters(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            kwargs = dict(kwargs)
            self.residuals.append(args[0] if args else kwargs.pop("hidden_states"))
            self._rest.append((args[1:], kwargs))

        def computed(_: Any, args: tuple[torch.Tensor]) -> None:
            self.z.append(by_head(args[0], heads))

        ids_BT = ids_BT.to(next(model.parameters()).device)
        with evaluating(model), ExitStack() as hooks:
            for part in self._parts:
                register = part.layer.register_forward_pre_hook
                hooks.enter_context(register(enters, with_kwargs=True))
                hooks.enter_context(part.out.register_forward_pre_hook(computed))
            ends = self._norm.register_forward_pre_hook
            hooks.enter_context(ends(lambda _, args: self.residuals.append(args[0])))
            output = model.base_model(input_ids=ids_BT, use_cache=False)
        self.hidden_BTD: torch.Tensor = output.last_hidden_state

    def go_on(
        self,
        layer: int,
        row_N: torch.Tensor,
        *,
        z_NTHK: torch.Tensor | None = None,
        residual_NTD: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run the layers from one on with something changed; return what the output head reads.

        Args:
            layer: The first that runs again; the number of layers means none, only the final norm.
            row_N: Which row of the kept pass each row goes on from.
            z_NTHK: What its heads are made to compute; as before when left out.
            residual_NTD: What enters it; as before when left out.

        Returns:
            Shape ``(N, T, D)``.
        """
        hidden = self.residuals[layer][row_N] if residual_NTD is None else residual_NTD
        with evaluating(self.model), ExitStack() as hooks:
            if z_NTHK is not None:
                hook = self._parts[layer].out.register_forward_pre_hook
                hooks.enter_context(hook(lambda *_: (z_NTHK.flatten(-2),)))
            for index in range(layer, len(self._parts)):
                args, kwargs = (self._for_rows(x, row_N) for x in self._rest[index])
                output = self._parts[index].layer(hidden, *args, **kwargs)
                hidden = output[0] if isinstance(output, tuple) else output
            result: torch.Tensor = self._norm(hidden)
        return result

    def _for_rows(self, value: Any, row_N: torch.Tensor) -> Any:
        """Return an argument of a layer as it is for other rows than those of the kept pass."""
        if isinstance(value, dict):
            return {name: self._for_rows(x, row_N) for name, x in value.items()}
        if isinstance(value, tuple):
            return tuple(self._for_rows(x, row_N) for x in value)
        per_row = isinstance(value, torch.Tensor) and value.ndim > 1 and self._rows > 1
        return value[row_N] if per_row and len(value) == self._rows else value
