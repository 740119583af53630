"""What every head is good for: how much worse the model does when the head says only its mean.

Shape legend: B rows, T tokens, L layers, H heads, K width of a head, Q items, G heads of a batch,
N rows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch

from nucleate.core import Level, Reading
from nucleate.core.heads import HeadTable
from nucleate.models.heads import head_shape
from nucleate.models.interventions import mean_outputs
from nucleate.models.output import logits_of
from nucleate.models.resume import KeptPass
from nucleate.probes.mechanism.behaviours import Behaviour
from nucleate.probes.mechanism.head_scores import HeadScores, head_means
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.plan import BATCH_TOKENS
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

Instead = Literal["mean", "zero"]


def ablation_scores(
    model: Any,
    items: HeadItems,
    behaviours: Sequence[Behaviour] | None = None,
    *,
    instead: Instead = "mean",
    batch_tokens: int = BATCH_TOKENS,
) -> dict[str, HeadScores]:
    """Return how much every behaviour loses with each head ablated, in nats; positive: it helps.

    A head's output is replaced by its mean over all positions of all rows, padding left out
    (``mean``), or by nothing (``zero``), which also takes away what it always says. Layers below
    the head run once for all heads; those above run on many heads at once.

    Args:
        model: A model of a known type (`models.heads.KNOWN`).
        items: Rows, and what they ask for.
        behaviours: Which behaviours of the items; all when left out.
        instead: What a head says instead.
        batch_tokens: Most tokens of a batch, unless one row has more.
    """
    asked = items.behaviours if behaviours is None else tuple(behaviours)
    device = next(model.parameters()).device
    layers, heads, _ = head_shape(model)
    means_LHK = _means(model, items, instead)
    loss = {x.name: torch.zeros(layers, heads, len(x.row_Q), device=device) for x in asked}
    step = max(1, batch_tokens // items.ids_BT.shape[1])
    for first in range(0, len(items.ids_BT), step):
        last = min(first + step, len(items.ids_BT))
        own = [x.to(device).of_rows(first, last) for x in asked]
        own = [(x, places) for x, places in own if len(places)]
        if own:
            kept = KeptPass(model, items.ids_BT[first:last])
            _ablate_all(kept, own, means_LHK, loss, max(1, step // (last - first)))
    return {
        x.name: head_means(
            x.name,
            loss[x.name].double().cpu().numpy(),
            x.row_Q.cpu().numpy(),
            chance=0.0,
            unit="nats",
        )
        for x in asked
    }


def _means(model: Any, items: HeadItems, instead: Instead) -> torch.Tensor:
    if instead == "zero":
        return torch.zeros(head_shape(model), device=next(model.parameters()).device)
    return mean_outputs(model, items.ids_BT, items.real_BT)


def _ablate_all(
    kept: KeptPass,
    asked: Sequence[tuple[Behaviour, torch.Tensor]],
    means_LHK: torch.Tensor,
    loss: dict[str, torch.Tensor],
    together: int,
) -> None:
    """Fill in what rows of one pass say, `together` heads at a time."""
    before = [_scores(kept.model, kept.hidden_BTD, x, x.row_Q) for x, _ in asked]
    rows = len(kept.hidden_BTD)
    for layer, means_HK in enumerate(means_LHK):
        for group in _groups(len(means_HK), together):
            z_NTHK = kept.z[layer].repeat(len(group), 1, 1, 1)
            for g, head in enumerate(group):
                z_NTHK[g * rows : (g + 1) * rows, :, head] = means_HK[head]
            row_N = torch.arange(rows, device=z_NTHK.device).repeat(len(group))
            hidden_NTD = kept.go_on(layer, row_N, z_NTHK=z_NTHK)
            for (x, places), score_Q in zip(asked, before, strict=True):
                for g, head in enumerate(group):
                    after_Q = _scores(kept.model, hidden_NTD, x, x.row_Q + g * rows)
                    loss[x.name][layer, head, places] = score_Q - after_Q


def _groups(count: int, size: int) -> list[range]:
    return [range(i, min(i + size, count)) for i in range(0, count, size)]


@torch.no_grad()
def _scores(
    model: Any, hidden_NTD: torch.Tensor, asked: Behaviour, row_Q: torch.Tensor
) -> torch.Tensor:
    return asked.scores(logits_of(model, hidden_NTD[row_Q, asked.place_Q]))


def shared_ablation(view: ModelView, items: HeadItems) -> dict[str, HeadScores]:
    """Return `ablation_scores`, computed once for all probes of one Step."""
    return view.once(items, "ablation", lambda: ablation_scores(view.model, items))


def _cost(items: HeadItems) -> int:
    return (2 + items.sweep) * items.forward_tokens


@probe(name="ablation", level=Level.MECHANISM, unit="nats", cost=_cost)
def ablation(view: ModelView, items: HeadItems) -> Iterable[Reading]:
    """How much does each behaviour lose without its most important head?"""
    found = shared_ablation(view, items)
    view.keep(HeadTable({f"ablation.{name}": scores for name, scores in found.items()}))
    for scores in found.values():
        yield from scores.readings("ablation")
