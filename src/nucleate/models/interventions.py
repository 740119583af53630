"""Change what heads compute, or what the residual stream holds, while a model runs.

Each is a context manager: inside it, every forward pass of the model is changed; behind it, and
when an exception leaves it, the model is as it was.

Shape legend: B rows, T tokens, L layers, H heads, K width of a head, D width of the residual
stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch

from nucleate.core import UserError
from nucleate.models.activations import LayerActivations, read_layers
from nucleate.models.heads import attention_parts, by_head, final_norm, head_shape

Head = tuple[int, int]
"""Layer and number of a head."""


def mean_outputs(
    model: Any,
    ids_BT: torch.Tensor,
    real_BT: torch.Tensor | None = None,
    *,
    per: Literal["overall", "position"] = "overall",
) -> torch.Tensor:
    """Return the mean output of every head over a reference batch, for mean-ablation.

    Args:
        model: The model.
        ids_BT: The reference batch.
        real_BT: Which tokens count (all when left out); padding should not.
        per: ``overall`` averages over rows and positions, shape ``(L, H, K)``; ``position`` over
            rows alone, shape ``(L, T, H, K)``.
    """
    weight_BT = torch.ones_like(ids_BT, dtype=torch.bool) if real_BT is None else real_BT
    over = (0, 1) if per == "overall" else (0,)
    means: list[torch.Tensor] = []

    def use(layer: LayerActivations) -> None:
        weight_BT11 = weight_BT.to(layer.z_BTHK)[..., None, None]
        total = (layer.z_BTHK * weight_BT11).sum(over)
        means.append(total / weight_BT11.sum(over).clamp_min(1))

    read_layers(model, ids_BT, use)
    return torch.stack(means)


@contextmanager
def replaced_heads(model: Any, new: Mapping[Head, torch.Tensor | float]) -> Iterator[None]:
    """Replace the outputs of heads.

    Args:
        model: The model.
        new: What each named head is made to compute before the output projection: shape
            ``(K,)``, ``(T, K)`` or ``(B, T, K)``, or one number.

    Raises:
        UserError: The model has no such head.
    """

    def put(z_BTHK: torch.Tensor, layer: int, head: int) -> None:
        z_BTHK[:, :, head] = new[layer, head]

    with _changed_heads(model, new, put):
        yield


@contextmanager
def averaged_heads(model: Any, heads: Iterable[Head]) -> Iterator[None]:
    """Let heads compute nothing but their mean over all positions of each batch, as a constant.

    In training nothing is learned through them: no gradient passes to what they compute.

    Args:
        model: The model.
        heads: Which ones.

    Raises:
        UserError: The model has no such head.
    """

    def put(z_BTHK: torch.Tensor, _: int, head: int) -> None:
        z_BTHK[:, :, head] = z_BTHK[:, :, head].detach().mean((0, 1))

    with _changed_heads(model, heads, put):
        yield


@contextmanager
def _changed_heads(
    model: Any, chosen: Iterable[Head], put: Callable[[torch.Tensor, int, int], None]
) -> Iterator[None]:
    """Change in place, layer by layer, a copy of what heads computed, ``(B, T, H, K)``."""
    layers, heads, _ = head_shape(model)
    of_layer: dict[int, list[int]] = {}
    for layer, head in chosen:
        if not (0 <= layer < layers and 0 <= head < heads):
            raise UserError(
                "no such head", got=f"L{layer}H{head}", expected=f"L0H0 … L{layers - 1}H{heads - 1}"
            )
        of_layer.setdefault(layer, []).append(head)
    parts = attention_parts(model)

    def changer(layer: int) -> Callable[..., tuple[torch.Tensor]]:
        def change(_: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            z_BTHK = by_head(args[0], heads).clone()
            for head in of_layer[layer]:
                put(z_BTHK, layer, head)
            return (z_BTHK.flatten(-2),)

        return change

    with ExitStack() as hooks:
        for layer in of_layer:
            hooks.enter_context(parts[layer].out.register_forward_pre_hook(changer(layer)))
        yield


@contextmanager
def ablated(model: Any, heads: Iterable[Head], means: torch.Tensor | None = None) -> Iterator[None]:
    """Ablate heads: replace what they compute by its mean over a reference batch, or by zero.

    Args:
        model: The model.
        heads: Which ones.
        means: From `mean_outputs`, overall ``(L, H, K)`` or per position ``(L, T, H, K)``; left
            out, heads are set to zero.
    """

    def value(layer: int, head: int) -> torch.Tensor | float:
        return 0.0 if means is None else means[layer][..., head, :]

    with replaced_heads(model, {head: value(*head) for head in heads}):
        yield


@contextmanager
def replaced_residual(
    model: Any, layer: int, residual_BTD: torch.Tensor, places: slice | torch.Tensor = slice(None)
) -> Iterator[None]:
    """Replace the residual stream that enters a layer: activation patching.

    Args:
        model: The model.
        layer: Which layer; the number of layers itself means behind the last one.
        residual_BTD: What it is to hold, from `read_layers` of another input.
        places: At which positions; everywhere when left out.
    """
    layers = head_shape(model)[0]
    module = final_norm(model) if layer == layers else attention_parts(model)[layer].layer

    def replace(
        _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        old_BTD = args[0] if args else kwargs["hidden_states"]
        new_BTD = old_BTD.clone()
        new_BTD[:, places] = residual_BTD[:, places].to(new_BTD)
        if args:
            return (new_BTD, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": new_BTD}

    handle = module.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
