"""Passages with decided words, tokenised once; the common ground of the story-world probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.items import Passage, Slot
from nucleate.probes.scorer import Plan, Query, make_plan
from nucleate.probes.view import ModelView


@dataclass(frozen=True, slots=True)
class Answered:
    """A slot, the passage it stands in, and the log-probabilities of its options, right one first.

    Attributes:
        options: Shape ``(1 + number of foils,)``, in nats.
    """

    slot: Slot
    passage: int
    options: NDArray[np.float64]


class SlotItems:
    """Passages of a word-level world, ready to be asked.

    Args:
        passages: The passages; slots without foils are dropped.
        tokenizer: Has one token for every word.
        kinds: Kinds of slot to ask for (all when empty).
    """

    def __init__(
        self, passages: Sequence[Passage], tokenizer: Any, kinds: Sequence[str] = ()
    ) -> None:
        ids = tokenizer.get_vocab()
        bos = tokenizer.bos_token_id
        self._slots: list[tuple[int, Slot]] = []
        queries = []
        for number, passage in enumerate(passages):
            slots = [s for s in passage.slots if s.foils and (not kinds or s.kind in kinds)]
            if not slots:
                continue
            # Position 0 holds the separator, so word i stands at position i + 1.
            asks = tuple(
                (slot.index + 1, tuple(ids[word] for word in (slot.answer, *slot.foils)))
                for slot in slots
            )
            queries.append(Query((bos, *(ids[word] for word in passage.words)), asks))
            self._slots += [(number, slot) for slot in slots]
        self.plan: Plan = make_plan(queries)

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        return np.cumsum([0] + [1 + len(slot.foils) for _, slot in self._slots])

    def ask(self, view: ModelView, kind: str, condition: str | None = None) -> list[Answered]:
        """Return the answered slots of a kind (and condition), in order."""
        answers = view.answers(self.plan)
        return [
            Answered(slot, passage, answers[self._bounds[i] : self._bounds[i + 1]])
            for i, (passage, slot) in enumerate(self._slots)
            if slot.kind == kind and condition in (None, slot.condition)
        ]


def forward_tokens(items: SlotItems) -> int:
    """Cost of asking everything once."""
    return items.plan.forward_tokens
