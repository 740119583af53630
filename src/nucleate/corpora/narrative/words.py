"""Words of a sentence that carry its content, found without any language model."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from nucleate.corpora.windows import Prose

Fits = Callable[[Sequence[str]], bool]
"""Says whether sentences are short enough together."""

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

FUNCTION_WORDS = frozenset(
    "a about after again all also am an and another any are as at away back be became because been "
    "before began being big but by came can come could day did do does down each even ever every "
    "felt first for from gave get go going good got had has have he her here hers herself him "
    "himself his how i if in inside into is it its just knew know let like little long look looked "
    "made make many me more most much must my never new next no not now of off old on once one "
    "only or other our out over own put ran really said saw say see she should so some something "
    "soon still such take than that the their them then there these they thing things think this "
    "thought through time to together told too took two under until up us very wanted was way we "
    "well went were what when where which while who why will with would yes you your".split()
)
"""Words that occur in any story: two sentences that share them are not about the same thing."""

SHORTEST = 3
"""Letters of a content word, at least."""

_ENDINGS = ("ing", "ed", "es", "s")


@lru_cache(maxsize=100_000)
def content_words(sentence: str) -> frozenset[str]:
    """Return the content words of a sentence in small letters, common endings cut off.

    >>> sorted(content_words("She painted the walls, and the painting dried."))
    ['dri', 'paint', 'wall']
    """
    words = (match.group().lower().split("'")[0].split("’")[0] for match in WORD.finditer(sentence))
    return frozenset(
        stem(word) for word in words if len(word) >= SHORTEST and word not in FUNCTION_WORDS
    )


def stem(word: str) -> str:
    """Cut one common ending off a word that keeps three letters or more without it."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
            return word[: -len(ending)]
    return word


MOST_OF_ONE = 6
"""Pairs of one kind that one document gives: more would not be independent."""


def places(text: Prose, first: int, rng: random.Random) -> list[tuple[list[str], int]]:
    """Return every sentence that has `first` others before it, as stretch and place, shuffled."""
    found = [(run, place) for run in text.runs for place in range(first, len(run))]
    rng.shuffle(found)
    return found
