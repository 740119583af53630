"""Pronoun flips: every "she" of the context becomes "he" (or the reverse), the next sentence stays.

Only English is read. The region names nobody, so who its pronoun stands for must come from the
context; women and men come in equal numbers, so that a preference for one of them earns nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.words import FUNCTION_WORDS, MOST_OF_ONE, WORD, Fits, places
from nucleate.corpora.swaps import find_names
from nucleate.corpora.windows import Prose, spread

_CONTEXT = (2, 5)
_HE = {"he": "she", "him": "her", "his": "her", "himself": "herself"}
_SHE = {"she": "he", "hers": "his", "herself": "himself"}
_ANY = re.compile(r"\b(he|him|his|himself|she|her|hers|herself)\b(?=(\W*)(\w*))", re.I)


def gender_of(text: str) -> str:
    """Return "he" or "she" when the pronouns of a text agree, else the empty string."""
    kinds = {"he" if m.group(1).lower() in _HE else "she" for m in _ANY.finditer(text)}
    return kinds.pop() if len(kinds) == 1 else ""


def flip_pronouns(text: str) -> str:
    """Exchange the pronouns he and she in all their forms.

    "Her" becomes "his" where a content word follows at once, else "him".

    >>> flip_pronouns("She lost her hat. A boy saw her and his dog ran.")
    'He lost his hat. A boy saw him and her dog ran.'
    """

    def other(match: re.Match[str]) -> str:
        word, between, after = match.group(1), match.group(2), match.group(3).lower()
        low = word.lower()
        if low == "her":
            owns = between == " " and after and (after not in FUNCTION_WORDS or after in _OWNED)
            new = "his" if owns else "him"
        else:
            new = _HE.get(low) or _SHE[low]
        return new.capitalize() if word[0].isupper() else new

    return _ANY.sub(other, text)


_OWNED = frozenset("big first good little long new next old own two way time thing things".split())
"""Frequent words that may stand between a possessive and what is owned."""


def flip_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[ContextPair]:
    """Make up to `number` pairs, half about women; arguments as in `deletion.deletion_pairs`."""
    cells: dict[str, list[list[ContextPair]]] = {"he": [], "she": []}
    for text in prose:
        own: dict[str, list[ContextPair]] = {"he": [], "she": []}
        names = find_names(text.text)
        for run, place in places(text, _CONTEXT[0], rng):
            region, kind = run[place], gender_of(run[place])
            size = rng.randint(_CONTEXT[0], min(_CONTEXT[1], place))
            context = " ".join(run[place - size : place])
            if not kind or gender_of(context) != kind or names & set(WORD.findall(region)):
                continue
            if fits(run[place - size : place + 1]):
                flipped = flip_pronouns(context)
                pair = ContextPair(context, flipped, region, "pronoun_flip", text.document)
                own[kind].append(pair)
            if max(map(len, own.values())) == MOST_OF_ONE:
                break
        for kind, pairs in own.items():
            cells[kind].append(pairs)
    he, she = spread(cells["he"], number // 2), spread(cells["she"], number // 2)
    size = min(len(he), len(she))
    return he[:size] + she[:size]
