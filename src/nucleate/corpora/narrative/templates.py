"""Small stories from templates, in plain English, whose right ending is known.

What any corpus can only approximate is exact here: of every pair the region fits the coherent
context and contradicts, or does not follow from, the corrupted one. Neither the last mention nor
the first tells the answer: what is asked stands first and last equally often.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from nucleate.corpora.items import ContextPair

GIRLS = ("Lily", "Sue", "Amy", "Mia", "Anna", "Emma", "Jane", "Lucy")
BOYS = ("Tom", "Ben", "Tim", "Max", "Sam", "Jack", "Bob", "Leo")
THINGS = ("ball", "doll", "hat", "book", "car", "cake", "kite", "cup", "bear", "boat")
PLACES = ("box", "bag", "bed", "bath", "garden", "kitchen", "room", "shop")
FILLERS = (
    "It was a sunny day.",
    "They were very happy.",
    "The sky was blue.",
    "Mom was in the house.",
    "A bird sang in a tree.",
    "It was time to play.",
    "They sat down for a while.",
    "A dog ran by.",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What happened, and how it made somebody feel or be."""

    event: str
    effect: str


CAUSES = (
    Cause("{A} fell into the water.", "wet"),
    Cause("{A} had no food all day.", "hungry"),
    Cause("{A} lost the new toy.", "sad"),
    Cause("{A} got a big gift.", "happy"),
    Cause("{A} saw a big bear.", "scared"),
    Cause("{A} played in the mud.", "dirty"),
    Cause("{A} ran all day and did not rest.", "tired"),
    Cause("{A} sat in the snow.", "cold"),
)
"""Effects are distinct, so no event makes another one's effect likely by itself."""


@dataclass(frozen=True, slots=True)
class State:
    """Two states that exclude each other, a question, and what fits the one and the other."""

    one: str
    other: str
    question: str
    fits_one: str
    fits_other: str


STATES = tuple(
    State(told.format(one), told.format(other), question, one, other)
    for told, question, one, other in (
        ("The box was {}.", "When they looked, the box was", "empty", "full"),
        ("The door was {}.", "They saw that the door was", "open", "closed"),
        ("The dog was {}.", "You could see that the dog was", "big", "little"),
        ("The soup was {}.", "They all said that the soup was", "hot", "cold"),
        ("The hat was {}.", "Everyone saw that the hat was", "red", "blue"),
        ("The street was {}.", "They found that the street was", "wet", "dry"),
        ("The cup was {}.", "Mom saw that the cup was", "clean", "dirty"),
        ("The old man was {}.", "They knew that the old man was", "kind", "mean"),
    )
)


def entity_swap(rng: random.Random, turn: int) -> ContextPair:
    """Two people with a thing each; who has what is exchanged in the corrupted context."""
    (one, other), (mine, yours) = _two_people(rng), rng.sample(THINGS, 2)
    told = f"{{}} had a {mine}. {{}} had a {yours}. {rng.choice(FILLERS)} "
    asked, thing = ((one, mine), (other, yours))[turn % 2]
    coherent, corrupted = told.format(one, other), told.format(other, one)
    question = f"{asked} liked to play with the"
    return _pair(coherent + question, corrupted + question, thing, "entity_swap")


def order_swap(rng: random.Random, turn: int) -> ContextPair:
    """A thing is put somewhere, then somewhere else; the order is exchanged."""
    person, (first, second) = rng.choice(GIRLS + BOYS), rng.sample(PLACES, 2)
    thing = rng.choice([t for t in THINGS if t not in (first, second)])
    if turn % 2:
        told = f"First, {person} put the {thing} in the {{}}. Then {person} put it in the {{}}. "
        coherent, corrupted = told.format(first, second), told.format(second, first)
    else:
        told = f"Now the {thing} is in the {{}}. Before that, it was in the {{}}. "
        coherent, corrupted = told.format(second, first), told.format(first, second)
    question = f"{rng.choice(FILLERS)} {person} can find the {thing} in the"
    return _pair(coherent + question, corrupted + question, second, "order_swap")


def cause_deletion(rng: random.Random, turn: int) -> ContextPair:
    """The event that made somebody so is deleted, against a sentence that did not matter."""
    person, cause = rng.choice(GIRLS + BOYS), rng.choice(CAUSES)
    event, filler = cause.event.replace("{A}", person), rng.choice(FILLERS)
    end = f"So {person} was very"
    start = f"{person} went out to play. "
    kept, lost = f"{start}{event} {end}", f"{start}{filler} {end}"
    return _pair(kept, lost, cause.effect, "cause_deletion")


def contradiction(rng: random.Random, turn: int) -> ContextPair:
    """An earlier state is exchanged for one that excludes it."""
    state = rng.choice(STATES)
    person, filler = rng.choice(GIRLS), rng.choice(FILLERS)
    told = f"{{}} {filler} {person} came to see. {state.question}"
    contexts = [told.format(s) for s in (state.one, state.other)]
    if turn % 2:
        return _pair(contexts[1], contexts[0], state.fits_other, "contradiction")
    return _pair(contexts[0], contexts[1], state.fits_one, "contradiction")


def pronoun_flip(rng: random.Random, turn: int) -> ContextPair:
    """Somebody is a girl or a boy; the corrupted context says the other."""
    girl = turn % 2 == 0
    name = rng.choice(("Sam", "Alex", "Charlie", "Robin", "Jo", "Kim"))
    told = f"{name} was a good little {{}}. {rng.choice(FILLERS)} One day,"
    coherent, corrupted = told.format("girl"), told.format("boy")
    if not girl:
        coherent, corrupted = corrupted, coherent
    return ContextPair(
        coherent, corrupted, f"{'she' if girl else 'he'} went to the park.", "pronoun_flip"
    )


MAKERS: dict[str, Callable[[random.Random, int], ContextPair]] = {
    "entity_swap": entity_swap,
    "order_swap": order_swap,
    "cause_deletion": cause_deletion,
    "contradiction": contradiction,
    "pronoun_flip": pronoun_flip,
}


def template_pairs(each: int, *, seed: int = 0, prefix: str = "told_") -> list[ContextPair]:
    """Make `each` distinct pairs of every kind; fewer where templates give no more.

    Args:
        each: Pairs of a kind.
        seed: Seed of every choice.
        prefix: Stands before the kind in the condition of a pair.
    """
    pairs = []
    for kind, make in MAKERS.items():
        rng, made = random.Random(f"templates-{seed}-{kind}"), dict[ContextPair, None]()
        for _ in range(20 * each):
            pair = make(rng, len(made))
            made[pair] = None
            if len(made) == each:
                break
        pairs += [
            ContextPair(p.coherent, p.corrupted, p.region, f"{prefix}{p.condition}") for p in made
        ]
    return pairs


def wrong_answers(pair: ContextPair) -> set[str]:
    """Return the first words that would contradict the coherent context; none for causes.

    >>> pair = template_pairs(1)[0]
    >>> pair.region.split()[0].strip(".") in wrong_answers(pair)
    False
    """
    kind = pair.condition.removeprefix("told_")
    answer = pair.region.split()[0].strip(".")
    said = {word.strip(".,") for word in pair.coherent.split()}
    if kind == "pronoun_flip":
        return {"he", "she"} - {answer}
    if kind == "contradiction":
        asked = [state for state in STATES if pair.coherent.endswith(state.question)]
        return {word for s in asked for word in (s.fits_one, s.fits_other)} - {answer}
    known = {"entity_swap": THINGS, "order_swap": PLACES}.get(kind, ())
    return set(known) & said - {answer}


def _two_people(rng: random.Random) -> tuple[str, str]:
    one, other = rng.choice(GIRLS), rng.choice(BOYS)
    return (one, other) if rng.random() < 0.5 else (other, one)


def _pair(coherent: str, corrupted: str, answer: str, condition: str) -> ContextPair:
    return ContextPair(coherent, corrupted, f"{answer}.", condition)
