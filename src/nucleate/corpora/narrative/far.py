"""Far context: the beginning of a text exchanged for another text's, the near part kept.

The same sentence is asked after ``far + near`` and after ``stranger + near``: what it gains is what
the model took from beyond the near part. The near part has at least a given number of tokens, so
the gain is a function of distance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from nucleate.corpora.items import ContextPair
from nucleate.corpora.windows import Prose, spread

_STARTS = 6
FAR = 3
"""Sentences that are exchanged."""


def far_pairs(
    prose: Sequence[Prose],
    *,
    distances: Sequence[int],
    each: int,
    longest: int,
    tokens: Callable[[str], int],
    seed: int = 0,
) -> list[ContextPair]:
    """Make up to `each` pairs for every distance; the condition is ``d32``, ``d64`` …

    Args:
        prose: Documents in sentences.
        distances: Fewest tokens between the exchanged part and the asked sentence.
        each: Pairs of a distance.
        longest: Most tokens of one text.
        tokens: Number of tokens of a text.
        seed: Seed of every choice.
    """
    sizes: dict[str, int] = {}

    def size(sentence: str) -> int:
        if sentence not in sizes:
            sizes[sentence] = tokens(f" {sentence}")
        return sizes[sentence]

    pairs: list[ContextPair] = []
    for distance in distances:
        rng = random.Random(f"far-{seed}-{distance}")
        found = []
        for text in prose:
            starts = [(run, start) for run in text.runs for start in range(len(run) - FAR)]
            own = [
                (text.document, *window)
                for run, start in rng.sample(starts, min(len(starts), _STARTS))
                if (window := _window(run[start:], distance, longest, size))
            ]
            found.append(own)
        pairs += _pairs(spread(found, 4 * each), distance, each, longest, size, rng)
    return pairs


def _window(
    run: list[str], distance: int, longest: int, size: Callable[[str], int]
) -> tuple[list[str], list[str], str] | None:
    """Return far part, near part and asked sentence, from the beginning of a stretch."""
    far, near, between = run[:FAR], list[str](), 0
    for place in range(FAR, len(run)):
        if between >= distance:
            total = sum(map(size, far)) + between + size(run[place])
            return (far, near, run[place]) if total <= longest else None
        near.append(run[place])
        between += size(run[place])
    return None


def _pairs(
    found: list[tuple[int, list[str], list[str], str]],
    distance: int,
    each: int,
    longest: int,
    size: Callable[[str], int],
    rng: random.Random,
) -> list[ContextPair]:
    pairs: list[ContextPair] = []
    for document, far, near, region in found:
        kept = sum(map(size, [*near, region]))
        strangers = [
            other
            for name, other, _, _ in rng.sample(found, min(len(found), 30))
            if name != document and kept + sum(map(size, other)) <= longest
        ]
        if strangers:
            # The nearest in length: a longer context by itself is worth a little.
            own = sum(map(size, far))
            stranger = min(strangers, key=lambda other: abs(sum(map(size, other)) - own))
            tail = " ".join(near)
            pairs.append(
                ContextPair(
                    f"{' '.join(far)} {tail}".strip(),
                    f"{' '.join(stranger)} {tail}".strip(),
                    region,
                    f"d{distance}",
                    document,
                )
            )
        if len(pairs) == each:
            break
    return pairs
