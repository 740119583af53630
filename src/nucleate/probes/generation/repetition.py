"""Repetition in a text: distinct n-grams, n-grams that came before, and endless loops."""

from __future__ import annotations

from collections.abc import Sequence

LOOP = 3
"""Times that a stretch must stand at the end of a text in a row to be called a loop."""


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return the n-grams of a text in order."""
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def distinct(words: Sequence[str], n: int) -> float:
    """Return distinct n-grams over all n-grams (Li et al. 2016), NaN where there is none.

    >>> distinct("a b a b".split(), 2)
    0.6666666666666666
    """
    found = ngrams(words, n)
    return len(set(found)) / len(found) if found else float("nan")


def repeated(words: Sequence[str], n: int) -> float:
    """Return the share of n-grams that occurred before in the text, NaN where there is none."""
    return 1 - distinct(words, n)


def ends_in_loop(words: Sequence[str], *, longest: int = 20) -> bool:
    """Say whether the text ends in one stretch said `LOOP` times or more without a break.

    Args:
        longest: Most words of the stretch.
    """
    for size in range(1, min(longest, len(words) // LOOP) + 1):
        tail = list(words[-size:])
        if all(list(words[-size * (k + 1) : len(words) - size * k]) == tail for k in range(LOOP)):
            return True
    return False
