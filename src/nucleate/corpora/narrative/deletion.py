"""Cause deletion: the sentence that a later one rests on is gone, against one that it does not.

Which sentence enables which is not known of any text, so it is approximated: the later sentence
speaks of something that exactly one sentence before it had mentioned. Deleting that sentence is
compared with deleting one of about the same length that shares no content word with it: both
contexts are one sentence short, and the last sentence stays in both.

A reader who only remembers words can score here: this measures the use of what was said, of
which causes are a part. Pairs in which the deleted cause stood earlier and later than the
irrelevant sentence come in equal numbers, so that how far back a sentence is deleted does not
help.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.words import MOST_OF_ONE, Fits, content_words, places
from nucleate.corpora.windows import Prose, spread

_CONTEXT = (4, 7)
_LONGER = 1.8
"""Most that one of the two sentences may be longer than the other, in characters."""


def deletion_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[ContextPair]:
    """Make up to `number` pairs, half of them with the cause before the irrelevant sentence.

    Args:
        prose: Documents in sentences.
        number: Most pairs to make.
        rng: Source of every choice.
        fits: Whether sentences are short enough together.
    """
    cells: dict[bool, list[list[ContextPair]]] = {True: [], False: []}
    for text in prose:
        own: dict[bool, list[ContextPair]] = {True: [], False: []}
        for run, place in places(text, _CONTEXT[0], rng):
            found = _pair_at(text.document, run, place, rng, fits)
            if found:
                own[found[0]].append(found[1])
            if max(map(len, own.values())) == MOST_OF_ONE:
                break
        for is_earlier, pairs in own.items():
            cells[is_earlier].append(pairs)
    half = number // 2
    earlier, later = spread(cells[True], half), spread(cells[False], half)
    size = min(len(earlier), len(later))
    return earlier[:size] + later[:size]


def _pair_at(
    document: int,
    run: list[str],
    place: int,
    rng: random.Random,
    fits: Fits,
) -> tuple[bool, ContextPair] | None:
    size = rng.randint(_CONTEXT[0], min(_CONTEXT[1], place))
    context = run[place - size : place]
    if not fits(run[place - size : place + 1]) or len(set(context)) < size:
        return None
    mentioned, asked = [content_words(sentence) for sentence in context], content_words(run[place])
    choices = []
    for cause in range(1, size - 1):
        elsewhere = set().union(*(mentioned[p] for p in range(size) if p != cause))
        alone = (mentioned[cause] & asked) - elsewhere
        for other in range(1, size - 1) if alone else ():
            sizes = sorted((len(context[cause]), len(context[other])))
            if not mentioned[other] & asked and sizes[1] <= _LONGER * sizes[0]:
                choices.append((-len(alone), rng.random(), cause, other))
    if not choices:
        return None
    _, _, cause, other = min(choices)
    coherent = " ".join(s for p, s in enumerate(context) if p != other)
    corrupted = " ".join(s for p, s in enumerate(context) if p != cause)
    pair = ContextPair(coherent, corrupted, run[place], "cause_deletion", document)
    return cause < other, pair
