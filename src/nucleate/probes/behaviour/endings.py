"""Endings of stories: the likeliest after the story, and the one that the story makes likelier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, Reading
from nucleate.corpora.items import Choice
from nucleate.probes.behaviour.choice import ChoiceItems, choice
from nucleate.probes.readings import choice_readings
from nucleate.probes.registry import probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]


class EndingItems(ChoiceItems):
    """Endings tokenised once, after their story and after nothing.

    Args:
        items: Of one or several sources, which are their conditions.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens.
        name: First part of the metric names.
    """

    def __init__(
        self,
        items: Sequence[Choice],
        tokenizer: Any,
        *,
        context: int = 2048,
        name: str = "endings",
    ) -> None:
        super().__init__(items, tokenizer, name=name, level=Level.NARRATIVE, context=context)
        self._bare = Requests(
            [("", text.removeprefix(" ")) for item in items for _, text in item.candidates],
            tokenizer,
            context=context,
        )
        self._counts = [(len(item.candidates), item.gold) for item in items]

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        return self.requests.cost + self._bare.cost

    def gains(self, view: ModelView) -> list[Floats]:
        """Return log p(ending | story) - log p(ending), in nats, the right ending first."""
        flat, start, out = self._bare.score(view).log_prob, 0, []
        for (count, gold), told in zip(self._counts, self.options(view), strict=True):
            bare = flat[start : start + count]
            out.append(told - np.concatenate([bare[gold : gold + 1], np.delete(bare, gold)]))
            start += count
        return out


def _cost(items: EndingItems) -> int:
    return items.cost


@probe(name="endings", level=Level.NARRATIVE, unit="nats", cost=_cost)
def endings(view: ModelView, items: EndingItems) -> Iterable[Reading]:
    """Accuracy, margin, acc_norm and Brier as for any choice; ``gain`` corrects for the ending.

    ``endings.….gain.accuracy`` chooses the ending whose probability the story raises most
    (pointwise mutual information): an ending that is likely anywhere earns nothing by that.
    """
    yield from choice(view, items)
    gains = items.gains(view)
    for group, places in items.groups.items():
        stem = f"{items.name}.{group}.gain" if group else f"{items.name}.gain"
        own, clusters = [gains[place] for place in places], items.clusters[list(places)].tolist()
        yield from choice_readings(stem, own, level=Level.NARRATIVE, clusters=clusters)
