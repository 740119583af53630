"""One pass over the rows: attention that goes where it is looked for, and what heads write there.

Shape legend: L layers, H heads, Q items, D width of the residual stream, K width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from nucleate.models.activations import LayerActivations, read_layers
from nucleate.models.heads import final_norm, head_shape, head_weights, norm_length, unembedding
from nucleate.probes.mechanism.behaviours import Behaviour
from nucleate.probes.mechanism.head_scores import Floats
from nucleate.probes.mechanism.links import Links, join
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
    every, write = join(links), _Direct(model, behaviours)
    device = next(model.parameters()).device
    mass_LHQ = torch.zeros(layers, heads, len(every.row_Q), device=device)
    direct_LHQ = torch.zeros(layers, heads, len(write.row_Q), device=device)
    step = max(1, batch_tokens // ids_BT.shape[1])
    for first in range(0, len(ids_BT), step):
        last = min(first + step, len(ids_BT))
        own, places = every.of_rows(first, last)
        asked = ((write.row_Q >= first) & (write.row_Q < last)).nonzero()[:, 0]
        at = (write.row_Q[asked] - first, write.place_Q[asked])

        def use(
            layer: LayerActivations,
            own: Links = own,
            places: torch.Tensor = places,
            asked: torch.Tensor = asked,
            at: tuple[torch.Tensor, torch.Tensor] = at,
        ) -> None:
            mass_LHQ[layer.layer][:, places] = own.mass(layer.pattern_BHTT).T
            direct_LHQ[layer.layer][:, asked] = write.of(layer, asked, at).T

        final = read_layers(model, ids_BT[first:last], use)
        if len(asked):  # attribution holds the length fixed that the final norm divides by
            direct_LHQ[:, :, asked] /= norm_length(final_norm(model), final.residual_BTD[at])
    return HeadReading(_split(mass_LHQ, links), _split(direct_LHQ, behaviours))


class _Direct:
    """The items of several behaviours, side by side, and the directions that count for them."""

    def __init__(self, model: Any, behaviours: Sequence[Behaviour]) -> None:
        none = torch.zeros(0, dtype=torch.long)
        self.row_Q, self.place_Q = (
            torch.cat([none, *(getattr(x, name).cpu() for x in behaviours)])
            for name in ("row_Q", "place_Q")
        )
        if behaviours:
            output_DV = unembedding(model)
            device = output_DV.device
            self._direction_QD = torch.cat([x.to(device).directions(output_DV) for x in behaviours])
            self._o_LHKD = [head_weights(model, i).o_HKD for i in range(head_shape(model)[0])]

    def of(
        self, layer: LayerActivations, asked: torch.Tensor, at: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Return what every head of a layer adds along the directions, shape ``(Q, H)``."""
        z_QHK = layer.z_BTHK[at]
        if not len(asked):
            return z_QHK.sum(-1)
        direction_QD = self._direction_QD[asked.to(z_QHK.device)]
        through_QHK = torch.einsum("qd,hkd->qhk", direction_QD, self._o_LHKD[layer.layer])
        return (z_QHK * through_QHK).sum(-1).float()


def _split(found_LHQ: torch.Tensor, parts: Sequence[Links | Behaviour]) -> dict[str, Floats]:
    each = found_LHQ.double().cpu().numpy()
    ends = accumulate(len(part.row_Q) for part in parts)
    return {x.name: each[..., end - len(x.row_Q) : end] for x, end in zip(parts, ends, strict=True)}
