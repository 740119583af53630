"""Needles: a sentence that must be remembered, at a depth of a text of some length.

Four levels of complexity, so that length and difficulty can be told apart:

1. ``single``: one needle; the foils are words that the text never mentions.
2. ``keys``: three needles about different people; the foils are what the others chose.
3. ``update``: the person changed their mind; the foils are the first choice, and what others chose.
4. ``hops``: one chose the same as another; two needles, in either order, must be joined.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nucleate.corpora.items import Choice
from nucleate.corpora.narrative.templates import BOYS, GIRLS

LEVELS = ("single", "keys", "update", "hops")
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where the needle stands that answers: 0 is the beginning, 1 is right before the question."""

CHOSEN = tuple("apple bread cake corn egg fish honey milk pie rice soup tea".split())
OPTIONS = 4


@dataclass(frozen=True, slots=True)
class NeedleItem:
    """One question at the end of a text.

    Attributes:
        choice: Options after the text; its condition is the level of complexity.
        length: Tokens that the text was to have.
        depth: Where the needle stands, one of `DEPTHS`.
    """

    choice: Choice
    length: int
    depth: float


def needle_items(
    filler: Sequence[str],
    *,
    lengths: Sequence[int],
    each: int,
    tokens: Callable[[str], int],
    seed: int = 0,
) -> list[NeedleItem]:
    """Make `each` items for every length and level, with depths in turn.

    Args:
        filler: Sentences to hide needles between; those that name a choice or person are left out.
        lengths: Tokens of a text, the question and the longest option included.
        each: Items of a length and level.
        tokens: Number of tokens of a text.
        seed: Seed of every choice.

    Returns:
        Items; none for lengths that do not even hold the needles.
    """
    taken = {word.lower() for word in (*CHOSEN, *GIRLS, *BOYS)}
    plain = [s for s in filler if not taken & {w.strip(".,!?\"'").lower() for w in s.split()}]
    sizes = {sentence: tokens(f" {sentence}") for sentence in plain}
    items = []
    for length in lengths:
        for level in LEVELS:
            for turn in range(each):
                rng = random.Random(f"needle-{seed}-{length}-{level}-{turn}")
                item = _item(rng, level, length, DEPTHS[turn % len(DEPTHS)], plain, sizes, tokens)
                items += [item] if item else []
    return items


def _item(
    rng: random.Random,
    level: str,
    length: int,
    depth: float,
    filler: Sequence[str],
    sizes: dict[str, int],
    tokens: Callable[[str], int],
) -> NeedleItem | None:
    people, words = rng.sample(GIRLS + BOYS, 3), rng.sample(CHOSEN, OPTIONS + 1)
    needle, others, answer, foils = _needles(rng, level, people, words)
    question = f"The food that {people[0]} chose was the"
    fixed = [needle, *others, question, f" {max(words, key=len)}."]
    room = length - sum(tokens(f" {text}") for text in fixed)
    if room < 0 or not filler:
        return None
    hay: list[str] = []
    for sentence in rng.sample(filler, min(len(filler), 4 * length)):
        if sizes[sentence] <= room:
            hay.append(sentence)
            room -= sizes[sentence]
        if room < 4:
            break
    text = _placed(rng, needle, others, hay, depth, ordered=level == "update")
    options = [answer, *foils]
    rng.shuffle(options)
    context = f"{text} {question}"
    sides = tuple((context, f" {option}.") for option in options)
    return NeedleItem(Choice(sides, options.index(answer), level), length, depth)


def _needles(
    rng: random.Random, level: str, people: list[str], words: list[str]
) -> tuple[str, list[str], str, list[str]]:
    """Return the needle that answers, the other ones, the answer and its foils."""
    one, two, three = people
    right, second, third, fourth, fifth = words

    def chose(who: str, what: str) -> str:
        return f"The food that {who} chose was the {what}."

    if level == "single":
        return chose(one, right), [], right, [second, third, fourth]
    others = [chose(two, second), chose(three, third)]
    if level == "keys":
        return chose(one, right), others, right, [second, third, fourth]
    if level == "update":
        changed = f"Later {one} changed it: the food that {one} chose was the {right}."
        return changed, [chose(one, second), chose(two, third)], right, [second, third, fourth]
    same = f"The food that {one} chose was the same as that of {two}."
    return same, [chose(two, right), chose(three, third)], right, [third, fourth, fifth]


def _placed(
    rng: random.Random,
    needle: str,
    others: list[str],
    hay: list[str],
    depth: float,
    *,
    ordered: bool,
) -> str:
    """Put needles between sentences; `ordered` keeps the others before the one that answers."""
    place = round(depth * len(hay))
    slots: dict[int, list[str]] = {}
    for other in others:
        slots.setdefault(rng.randint(0, place if ordered else len(hay)), []).append(other)
    lines: list[str] = []
    for position in range(len(hay) + 1):
        before = slots.get(position, [])
        here = [needle] if position == place else []
        lines += before + here if ordered or rng.random() < 0.5 else here + before
        lines += hay[position : position + 1]
    return " ".join(lines)
