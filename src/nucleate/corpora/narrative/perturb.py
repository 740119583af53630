"""Perturbed texts: nonce names, typing errors, synonyms; the same word always changes alike."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.words import WORD
from nucleate.corpora.swaps import find_names

NONCE = tuple("Dax Wug Blick Zorp Fep Tulver Moop Kiv Snarp Gazzer Plim Vonk".split())
"""Names that no story gives to anybody."""

SYNONYMS = dict(
    pair.split(":")
    for pair in (
        "big:large little:small happy:glad sad:unhappy mom:mother dad:father began:started "
        "started:began saw:noticed house:home ran:rushed wanted:wished beautiful:pretty "
        "pretty:lovely scared:afraid angry:mad kind:nice nice:kind friend:pal fast:quick "
        "small:tiny smart:clever clever:smart shouted:yelled yelled:shouted looked:peered "
        "found:discovered gift:present present:gift forest:woods woods:forest road:street "
        "rock:stone stone:rock cried:wept smiled:grinned jumped:leaped bunny:rabbit rabbit:bunny "
        "boat:ship picture:drawing loud:noisy delicious:tasty tasty:delicious tired:sleepy"
    ).split()
)
"""Words and others of nearly the same meaning and the same grammar."""


def with_typos(text: str, rate: float, seed: int = 0) -> str:
    """Exchange two inner letters of a share of the words that have four letters or more.

    Args:
        rate: Share of words, 0 to 1; the words of a smaller rate are among those of a larger one.
        seed: Seed of the choice.
    """

    def typed(match: re.Match[str]) -> str:
        word = match.group()
        rng = random.Random(f"typo-{seed}-{word}")
        if len(word) < 4 or rng.random() >= rate:
            return word
        place = rng.randrange(1, len(word) - 2)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    return WORD.sub(typed, text)


def with_synonyms(text: str) -> str:
    """Replace every word that `SYNONYMS` has, capitals kept.

    >>> with_synonyms("The big dog ran. Big dogs do.")
    'The large dog rushed. Large dogs do.'
    """

    def other(match: re.Match[str]) -> str:
        word = match.group()
        new = SYNONYMS.get(word.lower(), "")
        return (new.capitalize() if word[0].isupper() else new) or word

    return WORD.sub(other, text)


def renamed(pair: ContextPair, known: tuple[str, ...] = ()) -> ContextPair:
    """Give every person of a pair a nonce name, the same in both contexts and the region.

    Args:
        known: Names to replace beside those that the texts give away.
    """
    given_away = find_names(f"{pair.coherent} {pair.region} {pair.corrupted}")
    words = {match.group() for match in WORD.finditer(f"{pair.coherent} {pair.region}")}
    names = sorted(given_away | {name for name in known if name in words})
    if not names:
        return pair
    rng = random.Random(f"nonce-{pair.coherent}")
    nonce = rng.sample(NONCE, len(NONCE))
    new = {name: nonce[place % len(nonce)] for place, name in enumerate(names)}
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
    coherent, corrupted, region = (
        pattern.sub(lambda match: new[match.group()], text)
        for text in (pair.coherent, pair.corrupted, pair.region)
    )
    return replace(pair, coherent=coherent, corrupted=corrupted, region=region)
