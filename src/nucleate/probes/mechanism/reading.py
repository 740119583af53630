"""One pass over the rows: attention that goes where it is looked for, and what heads write there.

Shape legend: L layers, H heads, Q items, N links or kept positions, D width of the residual stream,
K width of a head, X all heads side by side (H·K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.models.activations import LayerActivations, read_layers
from nucleate.models.heads import (
    attention_parts,
    final_norm,
    head_shape,
    written_by,
    written_length,
)
from nucleate.models.norms import norm_length
from nucleate.models.open_attention import Weights
from nucleate.probes.mechanism.behaviours import Behaviour, Directions
from nucleate.probes.mechanism.head_scores import Floats
from nucleate.probes.mechanism.links import Links, join
from nucleate.probes.plan import BATCH_TOKENS


@dataclass(frozen=True, slots=True)
class HeadReading:
    """What one pass found.

    Attributes:
        mass_LHQ: Attention of every head that goes where it is looked for, pattern by pattern.
        direct_LHQ: What every head adds to the logit of the answer minus that of its foils through
            the residual stream alone, in nats, behaviour by behaviour.
        mass, direct: The same by name (views).
        streams_LND: Residual streams of the positions that were to be kept, in float32: before
            each layer, and what the output head reads; empty where none was.
    """

    mass_LHQ: Floats
    direct_LHQ: Floats
    mass: dict[str, Floats]
    direct: dict[str, Floats]
    streams_LND: NDArray[np.float32]


class Sought:
    """What a pass looks for, laid out once for all passes over the same rows.

    Args:
        links: Attention patterns to look for.
        behaviours: Answers to attribute to heads.
        kept_BT: Positions whose residual streams to keep, boolean; none if left out.
    """

    def __init__(
        self,
        links: Sequence[Links] = (),
        behaviours: Sequence[Behaviour] = (),
        kept_BT: torch.Tensor | None = None,
    ) -> None:
        self.links, self.behaviours = tuple(links), tuple(behaviours)
        self.every = join(self.links)
        none = torch.zeros(0, dtype=torch.long)
        self.row_Q, self.place_Q = (
            torch.cat([none, *(getattr(x, name).cpu() for x in self.behaviours)])
            for name in ("row_Q", "place_Q")
        )
        self.directions = Directions(self.behaviours) if self.behaviours else None
        self.kept_N = none if kept_BT is None else kept_BT.flatten().nonzero()[:, 0]
        self._length = 0 if kept_BT is None else kept_BT.shape[1]
        self._batches: dict[tuple[int, int, torch.device], _Batch] = {}

    def batch(self, first: int, last: int, device: torch.device) -> _Batch:
        """Return what is looked for in rows ``first:last``; laid out at the first call."""
        key = (first, last, device)
        if key not in self._batches:
            own, places = self.every.of_rows(first, last)
            asked = ((self.row_Q >= first) & (self.row_Q < last)).nonzero()[:, 0]
            ends = torch.tensor([first, last]) * self._length
            kept = slice(*torch.searchsorted(self.kept_N, ends).tolist())
            # The first key of every query comes first, query by query: those are the answer so
            # far, and only what further keys add is left to sum up.
            order = own.item_N.argsort(stable=True)
            item_N = own.item_N[order]
            new_N = torch.ones_like(item_N, dtype=torch.bool)
            new_N[1:] = item_N[1:] != item_N[:-1]
            places = places[item_N[new_N]]
            further = (new_N.cumsum(0) - 1)[~new_N]
            order, item_N = (torch.cat([x[new_N], x[~new_N]]) for x in (order, item_N))
            each = (
                *(own.row_Q[item_N], own.query_Q[item_N], own.key_N[order], further),
                *(self.row_Q[asked] - first, self.place_Q[asked]),
                self.kept_N[kept] - first * self._length,
            )
            places_at, asked_at = (_where(x, device) for x in (places, asked))
            self._batches[key] = _Batch(
                *(x.to(device) for x in each), places=places_at, asked=asked_at, kept=kept
            )
        return self._batches[key]


Where = slice | torch.Tensor
"""Some of what a pass looks for: a stretch of it, which costs no copy, or one by one."""


def _where(chosen: torch.Tensor, device: torch.device) -> Where:
    count, first = len(chosen), int(chosen[0]) if len(chosen) else 0
    if torch.equal(chosen, torch.arange(first, first + count)):
        return slice(first, first + count)
    return chosen.to(device)


Layout = tuple[tuple[int, int, int, int], int]
"""How attention weights lie: their shape, and queries of a block."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Where to look in some rows, rows counted from the first of them."""

    row_N: torch.Tensor
    query_N: torch.Tensor
    key_N: torch.Tensor
    further: torch.Tensor
    asked_row: torch.Tensor
    asked_place: torch.Tensor
    kept_N: torch.Tensor
    _: KW_ONLY
    places: Where
    asked: Where
    kept: slice
    _places: dict[Layout, torch.Tensor] = field(init=False, default_factory=dict)

    def keep(self, state_BTD: torch.Tensor, out_ND: torch.Tensor) -> None:
        """Copy states at the positions that are to be kept, of these rows, to their place."""
        if len(self.kept_N):
            state_XD = state_BTD.flatten(0, 1).to(out_ND)
            torch.index_select(state_XD, 0, self.kept_N, out=out_ND[self.kept])

    def mass(self, weights: Weights) -> torch.Tensor:
        """Return how much of each query's attention goes to keys that count, shape ``(H, Q)``."""
        layout = (weights.shape, weights.block)
        if layout not in self._places:  # the same in all layers
            places_HN = weights.places(self.row_N, self.query_N, self.key_N)
            self._places[layout] = places_HN.flatten()
        taken_HN = weights.flat.index_select(0, self._places[layout])
        taken_HN = taken_HN.view(weights.shape[1], -1).float()
        queries = len(self.key_N) - len(self.further)
        mass_HQ = taken_HN[:, :queries]
        return mass_HQ.index_add_(1, self.further, taken_HN[:, queries:])


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
    return read(model, ids_BT, Sought(links, behaviours), batch_tokens=batch_tokens)


@torch.no_grad()  # not inference_mode: what a model caches here must still train afterwards
def read(
    model: Any, ids_BT: torch.Tensor, sought: Sought, *, batch_tokens: int = BATCH_TOKENS
) -> HeadReading:
    """Return what `read_heads` does of what has been laid out, and the streams that are kept."""
    layers, heads, _ = head_shape(model)
    weights = next(model.parameters())
    device = weights.device
    write = None if sought.directions is None else _Direct(model, sought.directions)
    mass_LHQ = torch.zeros(layers, heads, len(sought.every.row_Q), device=device)
    direct_LQH = torch.zeros(layers, len(sought.row_Q), heads, device=device)
    kept = len(sought.kept_N)
    width = model.get_input_embeddings().weight.shape[1] if kept else 0
    streams_LND = torch.empty(layers + 1, kept, width, device=device)
    step = max(1, batch_tokens // ids_BT.shape[1])
    for first in range(0, len(ids_BT), step):
        last = min(first + step, len(ids_BT))
        own = sought.batch(first, last, device)
        at_Q = own.asked_row * ids_BT.shape[1] + own.asked_place

        def use(layer: LayerActivations, own: _Batch = own, at_Q: torch.Tensor = at_Q) -> None:
            mass_LHQ[layer.layer][:, own.places] = own.mass(layer.weights)
            if write is not None and len(at_Q):
                direct_LQH[layer.layer][own.asked] = write.of(layer, own.asked, at_Q)
            own.keep(layer.residual_BTD, streams_LND[layer.layer])

        final = read_layers(model, ids_BT[first:last], use)
        if len(at_Q):  # attribution holds the length fixed that the final norm divides by
            residual_QD = final.residual_BTD.flatten(0, 1).index_select(0, at_Q)
            direct_LQH[:, own.asked] /= norm_length(final_norm(model), residual_QD)[:, None]
        own.keep(final.hidden_BTD, streams_LND[layers])
    mass, direct = (x.double().cpu().numpy() for x in (mass_LHQ, direct_LQH.mT.contiguous()))
    return HeadReading(
        mass,
        direct,
        _split(mass, sought.links),
        _split(direct, sought.behaviours),
        streams_LND.cpu().numpy(),
    )


class _Direct:
    """The directions that count for the items of several behaviours, through every head."""

    def __init__(self, model: Any, directions: Directions) -> None:
        self._direction_QD = directions.of(model)
        self._parts = attention_parts(model)
        self._o_LDX = [o_HKD.flatten(0, 1).T for o_HKD in written_by(model, self._parts)]

    def of(self, layer: LayerActivations, asked: Where, at_Q: torch.Tensor) -> torch.Tensor:
        """Return what every head of a layer adds along the directions, shape ``(Q, H)``."""
        z_QHK = layer.z_BTHK.flatten(0, 1).index_select(0, at_Q)
        through_QX = self._direction_QD[asked] @ self._o_LDX[layer.layer]
        added_QH = through_QX.view_as(z_QHK).mul_(z_QHK).sum(-1)
        length_Q = written_length(self._parts[layer.layer], z_QHK)
        return added_QH if length_Q is None else added_QH / length_Q[:, None]


def _split(found_LHQ: Floats, parts: Sequence[Links | Behaviour]) -> dict[str, Floats]:
    ends = accumulate(len(part.row_Q) for part in parts)
    return {
        x.name: found_LHQ[..., end - len(x.row_Q) : end] for x, end in zip(parts, ends, strict=True)
    }
