"""Sets of evaluation items, each with its level, source and licence."""

from __future__ import annotations

from dataclasses import dataclass

from nucleate.core import Level
from nucleate.corpora.items import Choice, Cloze, ContextPair, MinimalPair

Item = MinimalPair | ContextPair | Choice | Cloze


@dataclass(frozen=True, slots=True)
class ItemSet:
    """Items that are asked and reported together.

    Attributes:
        name: First part of the names of its metrics (``copa``).
        level: What it speaks about.
        source: Who made it, and where it is published.
        licence: Of the items, as its source states it.
        items: All of one kind.
        notes: What a reader of the results should know, one sentence each.
    """

    name: str
    level: Level
    source: str
    licence: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
