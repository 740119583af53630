"""Coherent against corrupted, made from held-out documents of any text.

Nothing but sentence ends and capital letters is read, so the corruptions are blind to meaning: a
single pair may be undecidable, and the ceiling is not 1. What counts is the course over training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.sentences import sentence_runs
from nucleate.corpora.swaps import swap_pairs
from nucleate.corpora.windows import Prose, spread, windows

FEWEST = 8
"""A kind of pair that cannot be made at least so often is left out."""

MOST_DOCUMENTS = 1000
_MOVED = (4, 6)
_CONTEXT_SENTENCES = 4


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Pairs of four kinds; the condition of each pair is the name of its field.

    Attributes:
        sentence_order: A window of sentences against a permutation of the same sentences. The
            first sentence is a lead that stays in place, 4 to 6 follow. Every moved sentence has a
            space before it in both texts, so a byte-level BPE sees the same tokens in another
            order, and sums of log-probabilities are compared, not means.
        block_order: The same windows, with blocks of two sentences permuted: most neighbours keep
            their neighbour, so word-to-word cues between sentences are mostly gone.
        entity_swap: See `swaps.swap_pairs`.
        other_document: A sentence after its own context and after one of another document.
        notes: What is missing and why, one sentence each.
    """

    sentence_order: tuple[MinimalPair, ...]
    block_order: tuple[MinimalPair, ...]
    entity_swap: tuple[ContextPair, ...]
    other_document: tuple[ContextPair, ...]
    notes: tuple[str, ...]


def count_words(text: str) -> int:
    """Stand-in for a tokenizer: about how many tokens a text has, 4 for every 3 words."""
    return 1 + 4 * len(text.split()) // 3


def make_text_pairs(
    documents: Sequence[str],
    *,
    orders: int,
    swaps: int,
    others: int,
    longest: int,
    seed: int = 0,
    length: Callable[[str], int] = count_words,
) -> TextPairs:
    """Make up to as many pairs as asked; equal arguments give equal pairs.

    Args:
        documents: Held-out texts; a seeded choice of at most `MOST_DOCUMENTS` is read.
        orders: Number of pairs each of sentence and of block order.
        swaps: Number of entity swaps.
        others: Number of pairs with another document's context.
        longest: Most tokens of one text (context and region together).
        seed: Seed of every choice.
        length: Number of tokens of a sentence.
    """
    rng = random.Random(f"text-pairs-{seed}")
    chosen = rng.sample(range(len(documents)), min(len(documents), MOST_DOCUMENTS))
    prose = [Prose(d, documents[d], sentence_runs(documents[d])) for d in chosen]
    known: dict[str, int] = {}

    def fits(sentences: Sequence[str]) -> bool:
        for sentence in sentences:
            if sentence not in known:
                known[sentence] = length(" " + sentence)
        return sum(known[sentence] for sentence in sentences) <= longest

    sentence_order, block_order = _order_pairs(prose, orders, rng, fits)
    made: dict[str, tuple[list[MinimalPair] | list[ContextPair], int]] = {
        "sentence_order": (sentence_order, orders),
        "block_order": (block_order, orders),
        "entity_swap": (swap_pairs(prose, swaps, rng, fits), swaps),
        "other_document": (_other_pairs(prose, others, rng, fits), others),
    }
    notes = tuple(
        note for kind, (pairs, asked) in made.items() if (note := _note(kind, len(pairs), asked))
    )
    kept: dict[str, tuple[object, ...]] = {
        kind: tuple(pairs) if len(pairs) >= FEWEST else () for kind, (pairs, _) in made.items()
    }
    return TextPairs(**kept, notes=notes)  # type: ignore[arg-type]


def _note(kind: str, found: int, asked: int) -> str:
    if found < min(asked, FEWEST) or 0 < asked < FEWEST:
        return f"{kind} is left out: {found} of {asked} pairs could be made, {FEWEST} are needed"
    return f"{kind}: {found} of {asked} pairs could be made" if found < asked else ""


def _order_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Callable[[Sequence[str]], bool]
) -> tuple[list[MinimalPair], list[MinimalPair]]:
    found = windows(prose, rng, fits, smallest=1 + _MOVED[0], largest=1 + _MOVED[1])
    by_sentence: list[MinimalPair] = []
    by_block: list[MinimalPair] = []
    for document, (lead, *moved) in spread(found, number):
        good = " ".join([lead, *moved])
        for pairs, size, condition in (
            (by_sentence, 1, "sentence_order"),
            (by_block, 2, "block_order"),
        ):
            bad = " ".join([lead, *shuffled_blocks(moved, size, rng)])
            pairs.append(MinimalPair(good, bad, condition, document))
    return by_sentence, by_block


def shuffled_blocks(sentences: list[str], size: int, rng: random.Random) -> list[str]:
    """Permute blocks of `size` sentences, into any order but the one they have.

    A last block may be shorter. Sentences must be distinct, or the order could come out the same.
    """
    blocks = [sentences[start : start + size] for start in range(0, len(sentences), size)]
    order = list(range(len(blocks)))
    while order == sorted(order):
        rng.shuffle(order)
    return [sentence for place in order for sentence in blocks[place]]


def _other_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Callable[[Sequence[str]], bool]
) -> list[ContextPair]:
    size = _CONTEXT_SENTENCES + 1
    found = spread(windows(prose, rng, fits, smallest=size, largest=size), number)
    pairs = []
    for document, (*context, region) in found:
        strangers = [
            other
            for name, (*other, _) in found
            if name != document and fits([*other, region]) and other != context
        ]
        if strangers:
            stranger = " ".join(rng.choice(strangers))
            pairs.append(
                ContextPair(" ".join(context), stranger, region, "other_document", document)
            )
    return pairs
