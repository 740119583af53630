"""Take some items of a set: seeded, and evenly from every condition."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from nucleate.corpora.items import Choice, Cloze, ContextPair
from nucleate.corpora.itemsets import Item

T = TypeVar("T")
_CHUNK = 64


def texts_of(item: Item) -> list[tuple[str, str]]:
    """Return ``(context, continuation)`` of everything that an item asks about."""
    if isinstance(item, Choice):
        return list(item.candidates)
    if isinstance(item, Cloze):
        return [(item.context, item.continuation)]
    if isinstance(item, ContextPair):
        region = f" {item.region}"
        return [(item.coherent, region), (item.corrupted, region)]
    return [("", item.good), ("", item.bad)]


def even_order(conditions: Sequence[str], seed: int, name: str) -> list[int]:
    """Return all places in a seeded order in which every beginning is even over the conditions."""
    by_condition: dict[str, list[int]] = {}
    for place, condition in enumerate(conditions):
        by_condition.setdefault(condition, []).append(place)
    queues = []
    for condition, places in sorted(by_condition.items()):
        random.Random(f"{name}-{seed}-{condition}").shuffle(places)
        queues.append(places)
    order: list[int] = []
    for turn in range(max(map(len, queues), default=0)):
        order += [places[turn] for places in queues if turn < len(places)]
    return order


def take(
    items: Sequence[T],
    conditions: Sequence[str],
    number: int,
    *,
    seed: int,
    name: str,
    fits: Callable[[Sequence[T]], Sequence[bool]] | None = None,
) -> tuple[list[T], int]:
    """Take a seeded, even choice of the items that fit.

    Args:
        conditions: Of each item.
        number: Most items to take.
        fits: Says of some items which can be asked (all when None).

    Returns:
        The items in their own order, and how many of those looked at did not fit.
    """
    order = even_order(conditions, seed, name)
    chosen: list[int] = []
    unfit = 0
    for start in range(0, len(order), _CHUNK):
        places = order[start : start + _CHUNK]
        flags = fits([items[place] for place in places]) if fits else [True] * len(places)
        for place, good in zip(places, flags, strict=True):
            if len(chosen) == number:
                return [items[p] for p in sorted(chosen)], unfit
            if good:
                chosen.append(place)
            else:
                unfit += 1
    return [items[place] for place in sorted(chosen)], unfit
