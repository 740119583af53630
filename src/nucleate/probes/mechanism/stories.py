"""What the notes of a story say about attention: which word decides which, and where both stand.

Position 0 of a row holds the separator, so that word i stands at position i + 1 and the query that
predicts it at position i.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nucleate.corpora.items import Passage, Slot
from nucleate.corpora.storyworld import lexicon as lx

ATTRACTED = ("attractor", "relative")
"""Agreement with a noun of the other number between subject and verb."""
CLAUSE_ENDS = frozenset({".", ":", "that"})
"""Words at which a sentence or clause of the story world ends, or another one begins."""
_NOUNS = frozenset(form for noun in lx.NOUNS for form in noun)


@dataclass(frozen=True, slots=True)
class Linked:
    """A decided word, the position that predicts it, and positions its decision stands at.

    Attributes:
        answer: The decided word.
        foils: Words that would be wrong.
        place: Position whose next token the word is.
        keys: Positions of what decides it.
        mentions: Positions where the answer was named before.
        rivals: Positions where a foil was named before.
    """

    answer: str
    foils: tuple[str, ...]
    place: int
    keys: tuple[int, ...]
    mentions: tuple[int, ...]
    rivals: tuple[int, ...]


def linked(passage: Passage, kinds: Mapping[str, Sequence[str]], most: int) -> Iterator[Linked]:
    """Yield the decided words of a passage.

    Args:
        passage: A story, with notes.
        kinds: Kinds of slot, each with the conditions that are wanted (all when empty).
        most: Words of the passage that may be used.
    """
    for slot in passage.slots:
        wanted = slot.kind in kinds and (not kinds[slot.kind] or slot.condition in kinds[slot.kind])
        if not wanted or not slot.foils or slot.index >= most:
            continue
        keys = tuple(word + 1 for word in deciding_words(passage, slot))
        before = passage.words[: slot.index]
        if keys:
            yield Linked(
                slot.answer,
                slot.foils,
                slot.index,
                keys,
                tuple(i + 1 for i, word in enumerate(before) if word == slot.answer),
                tuple(i + 1 for i, word in enumerate(before) if word in slot.foils),
            )


def deciding_words(passage: Passage, slot: Slot) -> tuple[int, ...]:
    """Return which words of a passage decide a slot, by number.

    Of ``agreement`` the subject; of ``where`` and ``holder`` the place or name in the sentence
    that last changed them; of ``song`` the same word of the verse that is sung again; of ``cause``
    what happened, without its subject; else none.
    """
    words = passage.words
    if slot.kind == "agreement":
        return _first_noun(words, _sentence_start(words, slot.index), slot.index)
    since = slot.index - slot.distance
    if slot.distance < 0:
        return ()
    if slot.kind in ("where", "holder", "song"):
        named = [i for i, word in enumerate(words[:since]) if word == slot.answer]
        return tuple(named[-1:])
    if slot.kind == "cause":
        return tuple(range(_sentence_start(words, since - 1) + 1, since - 1))
    return ()


def _sentence_start(words: Sequence[str], index: int) -> int:
    """Return where the sentence begins that a word stands in."""
    return next((i + 1 for i in range(index - 1, -1, -1) if words[i] == "."), 0)


def _first_noun(words: Sequence[str], first: int, last: int) -> tuple[int, ...]:
    return next(((i,) for i in range(first, last) if words[i] in _NOUNS), ())
