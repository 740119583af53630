"""Scores of attention heads: where they attend, and what they write for the answer.

Every score by attention is the mean, over queries that have a key to attend to, of the attention
that goes to such keys; its chance level is that of attention spread evenly over what a query sees.

Shape legend: L layers, H heads, Q items, B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch

from nucleate.core import Level, Reading
from nucleate.core.heads import Example, HeadTable
from nucleate.models.activations import LayerActivations, read_layers
from nucleate.probes.mechanism.head_scores import HeadScores, head_means
from nucleate.probes.mechanism.items import Asked, HeadItems
from nucleate.probes.mechanism.links import Links
from nucleate.probes.mechanism.reading import HeadReading, read, read_heads
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


def attention_scores(
    model: Any,
    ids_BT: torch.Tensor,
    links: Sequence[Links],
    *,
    over: Literal["asked", "all"] = "asked",
) -> list[HeadScores]:
    """Return how much every head attends where it is looked for.

    Args:
        model: A model of a known type (`models.heads.KNOWN`).
        ids_BT: Token ids.
        links: Attention patterns to look for.
        over: Average over queries that have a key to attend to (``asked``), or over all queries
            of all rows (``all``), as the ``mul`` measure of TransformerLens' head detector does.
    """
    seen = read_heads(model, ids_BT, links)
    found = [_attention(seen, x) for x in links]
    if over == "asked":
        return found
    return [_diluted(scores, scores.n / ids_BT.numel()) for scores in found]


def _attention(seen: HeadReading, links: Links) -> HeadScores:
    mass_LHQ = seen.mass[links.name]
    return head_means(links.name, mass_LHQ, links.row_Q.numpy(), chance=links.chance)


def _diluted(scores: HeadScores, share: float) -> HeadScores:
    values, se = scores.values_LH * share, scores.se_LH * share
    return HeadScores(scores.name, values, se, scores.chance * share, scores.n, scores.unit)


def head_scores(
    model: Any, items: HeadItems, seen: HeadReading | None = None
) -> dict[str, HeadScores]:
    """Return every score that one pass over the rows gives, by name.

    Attention patterns keep their names (`links`). ``direct.NAME`` is the direct logit attribution
    of a behaviour: what a head adds to the logit of the answer minus the mean logit of its foils
    through the residual stream alone, the final norm's length held fixed, in nats. Where holders
    are asked, ``name_mover`` is attention to mentions of the answer times that attribution
    (Wang et al. 2022, arXiv:2211.00593), and ``inhibition`` the same with mentions of the foils:
    a head that sees a rival name and speaks against it.

    Args:
        model: A model of a known type.
        items: The rows, and what is looked for.
        seen: A pass over the rows that has been read; read now if left out.
    """
    if seen is None:
        seen = read(model, items.ids_BT, items.sought)
    found: dict[str, HeadScores] = {}
    values, errors = items.mass_clusters.means(seen.mass_LHQ)
    for x, chance, mean, se in zip(items.links, items.chances, values, errors, strict=True):
        found[x.name] = HeadScores(x.name, mean, se, chance, len(x.row_Q))
    names = [f"direct.{x.name}" for x in items.behaviours]
    counts = [len(x.row_Q) for x in items.behaviours]
    each = [seen.direct_LHQ]
    for name, keys in items.movers:
        each.append(seen.mass[keys] * seen.direct["holder"])
        names.append(name)
        counts.append(each[-1].shape[-1])
    values, errors = items.direct_clusters.means(np.concatenate(each, -1))
    for name, count, mean, se in zip(names, counts, values, errors, strict=True):
        found[name] = HeadScores(name, mean, se, 0.0, count, "nats")
    return found


def shared_reading(view: ModelView, items: HeadItems) -> HeadReading:
    """Return the one pass over the rows, read once for all probes of one Step."""
    return view.once(items, "head reading", lambda: read(view.model, items.ids_BT, items.sought))


def shared_scores(view: ModelView, items: HeadItems) -> dict[str, HeadScores]:
    """Return `head_scores`, computed once for all probes of one Step."""

    def found() -> dict[str, HeadScores]:
        return head_scores(view.model, items, shared_reading(view, items))

    return view.once(items, "head scores", found)


def look_at(model: Any, ids_T: torch.Tensor, asked: Asked) -> Example:
    """Return where every head looks from the last word before an answer.

    Args:
        model: A model of a known type.
        ids_T: The row of the story, of one token per word.
        asked: Which word is asked.
    """
    seen: list[torch.Tensor] = []

    def use(layer: LayerActivations) -> None:
        seen.append(layer.pattern_BHTT[0, :, -1].double().cpu())

    read_layers(model, ids_T[None, : len(asked.words)], use)
    return Example(asked.words, asked.answer, torch.stack(seen).numpy())


def _cost(items: HeadItems) -> int:
    return items.forward_tokens + items.example_tokens


@probe(name="heads", level=Level.MECHANISM, unit="fraction", cost=_cost)
def heads(view: ModelView, items: HeadItems) -> Iterable[Reading]:
    """Which kinds of attention head has the model, and how strong is the strongest of each?"""
    found = shared_scores(view, items)
    asked = items.example
    seen = look_at(view.model, items.ids_BT[asked.row], asked) if asked else None
    view.keep(HeadTable(found, example=seen))
    for scores in found.values():
        yield from scores.readings()
