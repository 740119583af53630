"""Read attention patterns, head outputs and residual streams in one forward pass, layer by layer.

A layer is handed on as soon as its attention is computed and is not kept, so that a pass needs
the memory of one layer; `activations` keeps everything, for small batches.

Shape legend: B rows, T tokens, L layers, H heads, K width of a head, D width of the residual
stream.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch

from nucleate.core import NucleateError
from nucleate.models.evaluation import evaluating
from nucleate.models.heads import (
    AttentionParts,
    attention_parts,
    by_head,
    final_norm,
    output_weights,
    written_length,
)
from nucleate.models.open_attention import Weights, open_attention


@dataclass(frozen=True, slots=True)
class LayerActivations:
    """What the attention of one layer reads and computes.

    Attributes:
        layer: Its number.
        residual_BTD: The residual stream that enters the layer.
        weights: Attention of every query to every key, those it does not see left out.
        z_BTHK: What each head computed, before the output projection.
        pattern_BHTT: Attention of every query (third axis) to every key (fourth), rows sum to 1;
            put together each time it is asked for.
    """

    layer: int
    residual_BTD: torch.Tensor
    weights: Weights
    z_BTHK: torch.Tensor

    @property
    def pattern_BHTT(self) -> torch.Tensor:  # noqa: N802 (shape suffix)
        """See above."""
        return self.weights.full()


@dataclass(frozen=True, slots=True)
class Final:
    """Where a pass ends.

    Attributes:
        residual_BTD: The residual stream behind the last layer.
        hidden_BTD: The same behind the final norm: what the output head reads.
    """

    residual_BTD: torch.Tensor
    hidden_BTD: torch.Tensor


@dataclass(frozen=True, slots=True)
class Activations:
    """Everything of one pass.

    Attributes:
        pattern_LBHTT: Attention patterns.
        z_LBTHK: Head outputs before the output projection.
        residual_LBTD: Residual stream before each layer and, last, behind all: ``L + 1`` of them.
        hidden_BTD: Behind the final norm.
    """

    pattern_LBHTT: torch.Tensor
    z_LBTHK: torch.Tensor
    residual_LBTD: torch.Tensor
    hidden_BTD: torch.Tensor


def read_layers(
    model: Any, ids_BT: torch.Tensor, use: Callable[[LayerActivations], object]
) -> Final:
    """Run one forward pass and hand every layer to a function, in order.

    The model is left as it was: mode, random states, hooks, attention implementation, gradients,
    also where the function raises. Attention shows its weights for the pass
    (`open_attention`). Rows must hold no padding on the left.

    Args:
        model: A causal `transformers` model of a known type (`models.heads.KNOWN`).
        ids_BT: Token ids, on any device.
        use: Called with each layer; keeps what it wants of the tensors, which are not reused.

    Raises:
        UserError: An architecture whose heads are not known.
    """
    parts = attention_parts(model)
    ids_BT = ids_BT.to(next(model.parameters()).device)
    with evaluating(model), open_attention(model), ExitStack() as hooks:
        for layer, part in enumerate(parts):
            for handle in _watch(part, layer, use):
                hooks.enter_context(handle)
        entered: list[torch.Tensor] = []
        norm = final_norm(model)
        hooks.enter_context(norm.register_forward_pre_hook(lambda _, args: entered.append(args[0])))
        hidden_BTD = model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
    return Final(entered[0], hidden_BTD)


def activations(model: Any, ids_BT: torch.Tensor) -> Activations:
    """Return everything of one forward pass; see `read_layers`.

    Memory: ``4·L·B·(H·T² + T·(H·K + D))`` bytes in float32.
    """
    layers: list[LayerActivations] = []
    final = read_layers(model, ids_BT, layers.append)
    return Activations(
        torch.stack([layer.pattern_BHTT for layer in layers]),
        torch.stack([layer.z_BTHK for layer in layers]),
        torch.stack([*(layer.residual_BTD for layer in layers), final.residual_BTD]),
        final.hidden_BTD,
    )


def head_results(model: Any, layer: int, z_BTHK: torch.Tensor) -> torch.Tensor:
    """Return what each head writes to the residual stream, shape ``(B, T, H, D)``.

    Their sum and the bias of the output projection, where there is one, are what the layer's
    attention adds to the stream. A norm behind attention divides all heads by one length, that of
    this pass.
    """
    written_BTHD = torch.einsum("bthk,hkd->bthd", z_BTHK, output_weights(model, layer))
    length_BT = written_length(attention_parts(model)[layer], z_BTHK)
    return written_BTHD if length_BT is None else written_BTHD / length_BT[..., None, None]


@dataclass(slots=True)
class _Seen:
    """What has been seen of a layer before its attention is complete."""

    residual: list[torch.Tensor] = field(default_factory=list)
    z: list[torch.Tensor] = field(default_factory=list)


def _watch(part: AttentionParts, layer: int, use: Callable[[LayerActivations], object]) -> Any:
    seen = _Seen()

    def enters(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.residual.append(args[0] if args else kwargs["hidden_states"])

    def computed(_: Any, args: tuple[Any, ...]) -> None:
        seen.z.append(args[0])

    def complete(_: Any, __: Any, output: tuple[torch.Tensor, Weights | None]) -> None:
        weights = output[1]
        if weights is None:
            raise NucleateError("attention did not give its weights although it was asked to")
        z_BTHK = by_head(seen.z.pop(), weights.shape[1])
        use(LayerActivations(layer, seen.residual.pop(), weights, z_BTHK))

    yield part.layer.register_forward_pre_hook(enters, with_kwargs=True)
    yield part.out.register_forward_pre_hook(computed)
    yield part.attention.register_forward_hook(complete)
