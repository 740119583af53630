"""Orders: sentences of a context exchanged before an identical region; blocks permuted."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.narrative.words import Fits
from nucleate.corpora.pairs import shuffled_blocks
from nucleate.corpora.windows import Prose, spread, windows

BLOCKS = (1, 2, 4)
"""Sentences that stay together. Shuffles of single sentences can be told by neighbours alone; the
larger the blocks, the fewer neighbours change."""

_MOVED = (5, 8)
_CONTEXT = (5, 7)


def order_name(block: int) -> str:
    """Return the condition of a permutation: ``order1``, ``order2`` …"""
    return f"order{block}"


def block_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[MinimalPair]:
    """Make up to `number` pairs for each size of blocks, all of the same windows.

    A window is a lead that stays, and five to eight sentences that are permuted: each of them has a
    space before it in both texts, so sums of log-probabilities may be compared.
    """
    low, high = _MOVED
    found = windows(prose, rng, fits, smallest=1 + low, largest=1 + high)
    pairs = []
    for document, (lead, *moved) in spread(found, number):
        good = " ".join([lead, *moved])
        for block in BLOCKS:
            bad = " ".join([lead, *shuffled_blocks(moved, block, rng)])
            pairs.append(MinimalPair(good, bad, order_name(block), document))
    return pairs


def exchange_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[ContextPair]:
    """Make up to `number` pairs: two sentences of the context exchanged, the last one in place."""
    low, high = _CONTEXT
    found = windows(prose, rng, fits, smallest=1 + low, largest=1 + high)
    pairs = []
    for document, (*context, region) in spread(found, number):
        one, other = sorted(rng.sample(range(len(context) - 1), 2))
        changed = list(context)
        changed[one], changed[other] = context[other], context[one]
        pairs.append(
            ContextPair(" ".join(context), " ".join(changed), region, "order_swap", document)
        )
    return pairs


def published_orders(rows: Iterable[dict[str, Any]]) -> list[MinimalPair]:
    """Return original against permuted paragraphs, with as many words in each.

    Args:
        rows: ``{"original": text, "shuffled": [texts], "source": name}``; the set of the package
            evals 3.0.1. Pairs of one paragraph are one document.
    """
    return [
        MinimalPair(row["original"], shuffled, "published_order", document)
        for document, row in enumerate(rows)
        for shuffled in row["shuffled"]
        if shuffled.strip() != row["original"].strip()
    ]
