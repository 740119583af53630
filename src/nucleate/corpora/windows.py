"""Windows of consecutive sentences, spread over many documents."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

Item = TypeVar("Item")
Window = tuple[int, list[str]]
"""Number of the document, and sentences of it that follow each other."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A document in sentences.

    Attributes:
        document: Its number among the documents that were given.
        text: The whole document.
        runs: Stretches of consecutive sentences (`sentences.sentence_runs`).
    """

    document: int
    text: str
    runs: list[list[str]]


def windows(
    prose: Sequence[Prose],
    rng: random.Random,
    fits: Callable[[Sequence[str]], bool],
    *,
    smallest: int,
    largest: int,
) -> list[list[Window]]:
    """Cut each document into windows of distinct sentences that do not overlap, in random order.

    Args:
        prose: Documents in sentences.
        rng: Chooses where the first window begins, how long each is, and their order.
        fits: Whether sentences are short enough together; a window that is not is shortened, down
            to `smallest`, and its first sentence skipped when that does not help.
        smallest: Fewest sentences of a window.
        largest: Most sentences of a window.
    """
    found = []
    for text in prose:
        own: list[Window] = []
        for run in text.runs:
            start = rng.randrange(max(1, min(len(run) - smallest + 1, smallest)))
            while start + smallest <= len(run):
                size = rng.randint(smallest, min(largest, len(run) - start))
                while size >= smallest and not fits(run[start : start + size]):
                    size -= 1
                window = run[start : start + size]
                if size < smallest or len(set(window)) < size:
                    start += 1
                    continue
                own.append((text.document, window))
                start += size
        rng.shuffle(own)
        found.append(own)
    return found


def spread(groups: Sequence[Sequence[Item]], number: int) -> list[Item]:
    """Take the first of every group, then the second of every group …, up to `number` in all."""
    nothing = object()
    rounds = zip_longest(*groups, fillvalue=nothing)
    items: list[Item] = [item for turn in rounds for item in turn if item is not nothing]  # type: ignore[misc]
    return items[:number]
