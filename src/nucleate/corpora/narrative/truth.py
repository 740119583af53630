"""Coherent and true, 2 × 2: a context that states a fact or its opposite, before either answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from nucleate.corpora.narrative.templates import FILLERS
from nucleate.corpora.sets.pararel import Fact


@dataclass(frozen=True, slots=True)
class TruthItem:
    """One fact of the world, asked after a context that agrees with it and one that does not.

    Attributes:
        true_context, false_context: They differ in one word or name.
        true, false: What is true in the world, and what the false context says instead.
        condition: Where the fact comes from.
        document: Facts of one relation are not independent; -1 for a fact of its own.
    """

    true_context: str
    false_context: str
    true: str
    false: str
    condition: str = ""
    document: int = -1


SIMPLE = tuple(
    tuple(line.split("|"))
    for line in (
        "the sky is|blue|green",
        "the grass is|green|red",
        "the sun is|hot|cold",
        "ice is|cold|hot",
        "snow is|white|black",
        "fire is|hot|cold",
        "sugar is|sweet|salty",
        "the sea is|big|small",
        "a mouse is|small|big",
        "an elephant is|big|small",
        "a banana is|yellow|blue",
        "a strawberry is|red|green",
        "a stone is|hard|soft",
        "a pillow is|soft|hard",
        "night is|dark|light",
        "a turtle is|slow|fast",
        "a rabbit is|fast|slow",
        "water is|wet|dry",
        "a lemon is|sour|sweet",
        "a baby is|young|old",
        "birds can|fly|swim",
        "fish can|swim|fly",
        "dogs like to eat|bones|books",
        "bees make|honey|milk",
        "cows give us|milk|honey",
        "cats like to chase|mice|cars",
        "we see with our|eyes|feet",
        "we walk on our|feet|ears",
        "we hear with our|ears|eyes",
        "trees have|leaves|wheels",
        "cars have|wheels|leaves",
        "birds live in a|nest|shoe",
    )
)
"""Facts that a child knows: what is said, what is true, what is not."""


def simple_truths(number: int, *, seed: int = 0) -> list[TruthItem]:
    """Make up to `number` items from `SIMPLE`, several with other sentences between per fact."""
    rng = random.Random(f"truths-{seed}")
    order = rng.sample(range(len(SIMPLE)), len(SIMPLE))
    items: dict[TruthItem, None] = {}
    for turn in range(4 * number):
        place = order[turn % len(order)]
        said, true, false = SIMPLE[place]
        told = f"In this story, {said} {{}}. {rng.choice(FILLERS)} Everyone knew that {said}"
        item = TruthItem(told.format(true), told.format(false), true, false, "simple", place)
        items[item] = None
        if len(items) == number:
            break
    return list(items)


def fact_truths(facts: Sequence[Fact]) -> list[TruthItem]:
    """Turn facts into items: stated in their last phrasing, asked in their first.

    The false object is the fact's first foil, an object of the same relation.
    """
    relations: dict[str, int] = {}
    items = []
    for fact in facts:
        stated, asked = fact.prompts[-1], fact.prompts[0]
        true, false = fact.objects[:2]
        document = len(SIMPLE) + relations.setdefault(fact.relation, len(relations))
        told, twisted = (f"{stated} {one}. {asked}" for one in (true, false))
        items.append(TruthItem(told, twisted, true, false, "facts", document))
    return items
