"""One pass over the rows: attention that goes where it is looked for, and what heads write there.

Shape legend: L layers, H heads, Q items, D width of the residual stream, K width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from nucleate.models.activations import LayerActivations, read_layers
from nucleate.models.heads import final_norm, head_shape, head_weights, norm_length, unembedding
from nucleate.probes.mechanism.behaviours import Behaviour
from nucleate.probes.mechanism.head_scores import Floats
from nucleate.probes.mechanism.links import Links
from nucleate.probes.plan import BATCH_TOKENS


@dataclass(frozen=True, slots=True)
class HeadReading:
    """What one pass found, by name.

    Attributes:
        mass: Attention of every head that goes where it is looked for, ``(L, H, Q)``.
        direct: What every head adds to the logit of the answer minus that of its foils through
            the residual stream alone, in nats, ``(L, H, Q)``.
    """

    mass: dict[str, Floats]
    direct: dict[str, Floats]


def read_heads(
    model: Any,
    ids_BT: torch.Tensor,
    links: Sequence[Links] = (),
    behaviours: Sequence[Behaviour] = (),
    *,
    batch_tokens: int = BATCH_TOKENS,
) -> HeadReading:
    """Read every head once; rows go through the model in batches, in one pass each.

    Args:
        model: A model of a known type (`models.heads.KNOWN`).
        ids_BT: Token ids, padded on the right only.
        links: Attention patterns to look for.
        behaviours: Answers to attribute to heads.
        batch_tokens: Most tokens of a batch, unless one row has more.
    """
    layers, heads, _ = head_shape(model)
    device = next(model.parameters()).device
    mass = {x.name: torch.zeros(layers, heads, len(x.row_Q), device=device) for x in links}
    direct = {x.name: torch.zeros(layers, heads, len(x.row_Q), device=device) for x in behaviours}
    weights = _Outputs(model) if behaviours else None
    step = max(1, batch_tokens // ids_BT.shape[1])
    for first in range(0, len(ids_BT), step):
        last = min(first + step, len(ids_BT))
        batch = _Batch(
            [x.of_rows(first, last) for x in links],
            [x.to(device).of_rows(first, last) for x in behaviours],
            mass,
            direct,
            weights,
        )
        final = read_layers(model, ids_BT[first:last], batch.use)
        batch.divide(final_norm(model), final.residual_BTD)
    return HeadReading(_arrays(mass), _arrays(direct))


class _Outputs:
    """Weights from heads to logits: those of all layers, and the output head."""

    def __init__(self, model: Any) -> None:
        self.o_LHKD = [head_weights(model, i).o_HKD for i in range(head_shape(model)[0])]
        self.unembedding_DV = unembedding(model)


@dataclass
class _Batch:
    """What is read of some rows."""

    links: list[tuple[Links, torch.Tensor]]
    behaviours: list[tuple[Behaviour, torch.Tensor]]
    mass: dict[str, torch.Tensor]
    direct: dict[str, torch.Tensor]
    weights: _Outputs | None
    directions: list[torch.Tensor] = field(init=False)

    def __post_init__(self) -> None:
        weights = self.weights
        self.directions = (
            [x.directions(weights.unembedding_DV) for x, _ in self.behaviours] if weights else []
        )

    def use(self, layer: LayerActivations) -> None:
        for links, places in self.links:
            self.mass[links.name][layer.layer][:, places] = links.mass(layer.pattern_BHTT).T
        for (asked, places), direction_QD in zip(self.behaviours, self.directions, strict=True):
            assert self.weights is not None
            o_HKD = self.weights.o_LHKD[layer.layer]
            z_QHK = layer.z_BTHK[asked.row_Q, asked.place_Q]
            through_QHK = torch.einsum("qd,hkd->qhk", direction_QD, o_HKD)
            self.direct[asked.name][layer.layer][:, places] = (
                (z_QHK * through_QHK).sum(-1).T.float()
            )

    def divide(self, norm: torch.nn.Module, residual_BTD: torch.Tensor) -> None:
        """Divide by the length that the final norm sees: attribution holds it fixed."""
        for asked, places in self.behaviours:
            length_Q = norm_length(norm, residual_BTD[asked.row_Q, asked.place_Q])
            self.direct[asked.name][:, :, places] /= length_Q


def _arrays(found: dict[str, torch.Tensor]) -> dict[str, Floats]:
    return {name: x.double().cpu().numpy() for name, x in found.items()}
