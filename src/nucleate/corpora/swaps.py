"""Entity swaps: two names change places in the context, the next sentence stays as it was.

"Lily gave Tom the ball. Tom thanked her." before "Lily smiled." becomes "Tom gave Lily the ball.
Lily thanked her.": who did what no longer fits, while words, length and region are the same.

A reader without memory for roles could still profit from which name came last or came more often.
Pairs are therefore taken two by two from opposite cells: for each pair whose region names the last
mentioned (or the more frequent) one, there is a pair where it names the other. Readers who follow
recency or frequency alone are right exactly half of the time.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from nucleate.corpora.items import ContextPair
from nucleate.corpora.sentences import ABBREVIATIONS, LONGEST_TEXT
from nucleate.corpora.windows import Prose, spread

_CONTEXT = (3, 6)
"""Fewest and most sentences of context."""

_WORD = re.compile(r"[^\W\d_]+")
_INSIDE = re.compile(r"(?<=[^\W\d_A-Z][ ])([^\W\d_]+)|(?<=[,;][ ])([^\W\d_]+)")
_POSSESSED = re.compile(r"([^\W\d_]+)['’]s\s+([^\W\d_]+)")
_ARTICLES = frozenset("a an the this that these those our your my his her its their".split())
_CALENDAR = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december".split()
)

Cues = tuple[bool, int]
"""Whether the region names the one mentioned last, and the sign of its lead in mentions."""


def find_names(text: str) -> set[str]:
    """Return the words of a text that are single names.

    A name is capitalised, stands there at least twice and at least once inside a sentence, never in
    small letters, never after an article or a possessive ("the Queen", "Raven's Peak"), never next
    to a title or another capitalised word ("Mrs. Hill", "Willow Creek"), never hyphenated.

    >>> sorted(find_names("Then Lily saw Tom. Tom and Lily ran. The dog saw Lily with Tom."))
    ['Lily', 'Tom']
    """
    text = text[:LONGEST_TEXT]
    found = list(_WORD.finditer(text))
    words = [match.group() for match in found]
    counts = Counter(words)
    inside = {a or b for a, b in _INSIDE.findall(text)}
    candidates = {
        word
        for word, count in counts.items()
        if count >= 2 and len(word) > 1 and word.istitle() and word in inside
        if word.lower() not in counts and word.lower() not in _CALENDAR | ABBREVIATIONS
    }
    for owner, thing in _POSSESSED.findall(text):
        if thing.istitle():
            candidates -= {owner, thing}
    for before, after in pairwise(found):
        left, right, between = before.group(), after.group(), text[before.end() : after.start()]
        if right in candidates and between.isspace() and left.lower() in _ARTICLES:
            candidates.discard(right)
        compound = between.isspace() and left.istitle() and right.istitle()
        if compound and (left in inside or right not in candidates):
            candidates -= {left, right}
        titled = between.strip() == "." and left.lower() in ABBREVIATIONS
        if between == "-" or titled:
            candidates -= {left, right}
    return candidates


def swap_names(text: str, one: str, other: str) -> str:
    """Exchange two names wherever they stand as words of their own."""
    swapped = {one: other, other: one}
    return re.sub(rf"\b(?:{one}|{other})\b", lambda match: swapped[match.group()], text)


def swap_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Callable[[Sequence[str]], bool]
) -> list[ContextPair]:
    """Make up to `number` pairs, with neither recency nor frequency of names helping.

    The region is one sentence that mentions exactly one of the two names; the context is the 3 to
    6 sentences before it and mentions both.

    Args:
        prose: Documents in sentences.
        number: Most pairs to make.
        rng: Source of every choice.
        fits: Whether sentences are short enough together.
    """
    cells: dict[Cues, list[list[ContextPair]]] = defaultdict(list)
    for text in prose:
        own: dict[Cues, list[ContextPair]] = defaultdict(list)
        names = find_names(text.text)
        for run in text.runs if len(names) > 1 else ():
            for place in range(_CONTEXT[0], len(run)):
                found = _pair_at(text.document, run, place, names, rng, fits)
                if found:
                    own[found[0]].append(found[1])
        for cues, pairs in own.items():
            rng.shuffle(pairs)
            cells[cues].append(pairs)
    return _matched({cues: spread(groups, number) for cues, groups in cells.items()}, number)


def _pair_at(
    document: int,
    run: list[str],
    place: int,
    names: set[str],
    rng: random.Random,
    fits: Callable[[Sequence[str]], bool],
) -> tuple[Cues, ContextPair] | None:
    """Make a pair whose region is sentence `place` of a run, with the rarer cues if there are."""
    size = min(_CONTEXT[1], place)
    while size >= _CONTEXT[0] and not fits(run[place - size : place + 1]):
        size -= 1
    if size < _CONTEXT[0]:
        return None
    context, region = " ".join(run[place - size : place]), run[place]
    mentions = [word for word in _WORD.findall(context) if word in names]
    in_region = set(_WORD.findall(region)) & names
    kept = sorted(in_region & set(mentions))
    others = sorted(set(mentions) - in_region)
    if not kept or not others:
        return None
    choices = []
    for one in kept:
        for other in others:
            last = next(word for word in reversed(mentions) if word in (one, other))
            lead = mentions.count(one) - mentions.count(other)
            cues = (last == one, (lead > 0) - (lead < 0))
            choices.append((sum(cues), rng.random(), cues, one, other))
    _, _, cues, one, other = min(choices)
    corrupted = swap_names(context, one, other)
    return cues, ContextPair(context, corrupted, region, "entity_swap", document)


def _matched(cells: dict[Cues, list[ContextPair]], number: int) -> list[ContextPair]:
    """Take equally many pairs of opposite cells; the three couples of cells take turns."""
    couples = []
    for lead in (-1, 0, 1):
        recent, distant = cells.get((True, lead), []), cells.get((False, -lead), [])
        couples.append(list(zip(recent, distant, strict=False)))
    return [pair for couple in spread(couples, number // 2) for pair in couple]
