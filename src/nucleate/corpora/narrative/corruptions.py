"""Coherent against corrupted, of every kind, made from the stories of any corpus.

Only sentence ends, capital letters and small tables of words are read: single pairs may be
undecidable, and the ceiling is not 1. What counts is the difference between models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.narrative.deletion import deletion_pairs
from nucleate.corpora.narrative.negation import contradiction_pairs
from nucleate.corpora.narrative.orders import BLOCKS, block_pairs, exchange_pairs, order_name
from nucleate.corpora.narrative.pronouns import flip_pairs
from nucleate.corpora.pairs import FEWEST, MOST_DOCUMENTS, count_words
from nucleate.corpora.sentences import sentence_runs
from nucleate.corpora.swaps import swap_pairs
from nucleate.corpora.windows import Prose

CONTEXT_KINDS = {
    "entity_swap": swap_pairs,
    "order_swap": exchange_pairs,
    "cause_deletion": deletion_pairs,
    "contradiction": contradiction_pairs,
    "pronoun_flip": flip_pairs,
}
"""Corruptions of a context before an identical region, and what makes them."""

ORDER_KINDS = tuple(order_name(block) for block in BLOCKS)


@dataclass(frozen=True, slots=True)
class Corruptions:
    """Pairs of every kind; the condition of a pair is its kind.

    Attributes:
        contexts: Pairs with an identical critical region.
        orders: Whole texts against permutations of the same sentences.
        notes: What is missing and why, one sentence each.
    """

    contexts: tuple[ContextPair, ...]
    orders: tuple[MinimalPair, ...]
    notes: tuple[str, ...]


def make_corruptions(
    documents: Sequence[str],
    *,
    each: int,
    longest: int,
    seed: int = 0,
    length: Callable[[str], int] = count_words,
) -> Corruptions:
    """Make up to `each` pairs of every kind; equal arguments give equal pairs.

    Args:
        documents: Stories that no model was trained on; at most `MOST_DOCUMENTS` are read.
        each: Pairs of a kind.
        longest: Most tokens of one text (context and region together).
        seed: Seed of every choice.
        length: Number of tokens of a text.
    """
    prose = read_prose(documents, seed=seed)
    return corrupt(prose, each=each, longest=longest, seed=seed, length=length)


def corrupt(
    prose: Sequence[Prose],
    *,
    each: int,
    longest: int,
    seed: int = 0,
    length: Callable[[str], int] = count_words,
) -> Corruptions:
    """Make pairs of documents that are cut into sentences already; see `make_corruptions`."""
    fits = fitting(longest, length)
    contexts: list[ContextPair] = []
    orders: list[MinimalPair] = []
    notes = []
    for kind, make in CONTEXT_KINDS.items():
        made = make(prose, each, random.Random(f"{kind}-{seed}"), fits)
        notes += _note(kind, len(made), each)
        contexts += made if len(made) >= FEWEST else []
    found = block_pairs(prose, each, random.Random(f"orders-{seed}"), fits)
    notes += _note("order1, order2, order4", len(found) // len(BLOCKS), each)
    orders = found if len(found) >= FEWEST * len(BLOCKS) else []
    return Corruptions(tuple(contexts), tuple(orders), tuple(notes))


def read_prose(documents: Sequence[str], *, seed: int = 0) -> list[Prose]:
    """Cut a seeded choice of documents into sentences."""
    size = min(len(documents), MOST_DOCUMENTS)
    chosen = random.Random(f"corruptions-{seed}").sample(range(len(documents)), size)
    return [Prose(d, documents[d], sentence_runs(documents[d])) for d in chosen]


def fitting(longest: int, length: Callable[[str], int]) -> Callable[[Sequence[str]], bool]:
    """Return a function that says whether texts have at most `longest` tokens together."""

    def fits(texts: Sequence[str]) -> bool:
        return sum(length(f" {text}") for text in texts) <= longest

    return fits


def _note(kind: str, found: int, asked: int) -> list[str]:
    if found < FEWEST:
        return [f"{kind} is left out: {found} of {asked} pairs could be made, {FEWEST} are needed"]
    return [f"{kind}: {found} of {asked} pairs could be made"] if found < asked - 1 else []
