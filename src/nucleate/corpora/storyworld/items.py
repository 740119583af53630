"""Probe items of the story world, made for one split: passages with slots, and context pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nucleate.corpora.items import ContextPair, Passage, Slot
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.storyworld.facts import World
from nucleate.corpora.storyworld.splits import Split
from nucleate.corpora.storyworld.story import (
    BEATS,
    Mixture,
    agreement_sentence,
    draw_cast,
    fact_sentence,
    tell,
)


@dataclass(frozen=True, slots=True)
class StoryItems:
    """Everything the behavioural probes of the story world ask.

    Attributes:
        plots: Stories rich in causes and refrains.
        states: Stories rich in moves and gifts; they ask for entity states and endings.
        agreement: Passages of agreement sentences.
        facts: Passages that ask for every fact of the world once.
        order: Pairs that differ in the order of two moves of the same character.
        contradiction: Pairs that differ in who took which of two things.
    """

    plots: tuple[Passage, ...]
    states: tuple[Passage, ...]
    agreement: tuple[Passage, ...]
    facts: tuple[Passage, ...]
    order: tuple[ContextPair, ...]
    contradiction: tuple[ContextPair, ...]


_NOTHING_ELSE = dict.fromkeys(BEATS, 0.0)
_PLOTS = {**_NOTHING_ELSE, "cause": 3.0, "song": 1.0, "move": 1.0, "agreement": 1.0}
_STATES = {**_NOTHING_ELSE, "move": 2.0, "where": 2.0, "take": 1.0, "give": 2.0, "holder": 3.0}


def make_items(
    world: World, mixture: Mixture, split: Split, *, seed: int = 0, stories: int = 160
) -> StoryItems:
    """Make the items of a split.

    Args:
        world: The world that training tells of.
        mixture: The mixture that training tells stories with; items tell the same kinds of
            sentence, only more of those that they ask about.
        split: Whose combinations of words (and, when sealed, sentence frames) to use.
        seed: Seed of the items; equal seeds give equal items.
        stories: Number of stories; every other number of items follows from it.
    """
    rng = random.Random(f"items-{split}-{seed}")
    plots, states = (mixture.model_copy(update=focus) for focus in (_PLOTS, _STATES))
    return StoryItems(
        plots=tuple(tell(rng, world, plots, split) for _ in range(stories // 2)),
        states=_matched(
            [_with_one_foil(tell(rng, world, states, split), rng) for _ in range(stories)], rng
        ),
        agreement=tuple(_agreement_passage(rng, split) for _ in range(stories // 2)),
        facts=tuple(_fact_passages(rng, world, split)),
        order=tuple(_order_pair(rng, split) for _ in range(stories)),
        contradiction=tuple(_contradiction_pair(rng, split) for _ in range(stories)),
    )


def _with_one_foil(story: Passage, rng: random.Random) -> Passage:
    """Give each state slot one foil, so that chance is one half and recency cannot help.

    Where the last place (or name) mentioned is right, the foil is any other one mentioned before;
    where it is wrong, the foil is that last one. Probes weight both conditions alike, so a reader
    who always answers with the last mention is right half of the time.
    """
    slots = []
    for slot in story.slots:
        if slot.kind not in ("where", "holder"):
            slots.append(slot)
        elif slot.foils:
            foil = rng.choice(slot.foils)
            if slot.condition == "far":
                foil = next(w for w in reversed(story.words[: slot.index]) if w in slot.foils)
            slots.append(replace(slot, foils=(foil,)))
    return Passage(story.words, tuple(slots))


def _matched(stories: list[Passage], rng: random.Random) -> tuple[Passage, ...]:
    """Drop state slots until counting mentions helps as often as it misleads.

    Inside each kind and condition, as many slots are kept whose answer was mentioned more often
    than the foil as slots whose answer was mentioned less often.
    """
    cells: dict[tuple[str, str], tuple[list[Slot], list[Slot]]] = {}
    for story in stories:
        for slot in story.slots:
            if slot.kind in ("where", "holder"):
                before = story.words[: slot.index]
                lead = before.count(slot.answer) - before.count(slot.foils[0])
                more, fewer = cells.setdefault((slot.kind, slot.condition), ([], []))
                if lead:
                    (more if lead > 0 else fewer).append(slot)
    dropped = set()
    for more, fewer in cells.values():
        longer, excess = (more, len(more) - len(fewer))
        if excess < 0:
            longer, excess = fewer, -excess
        dropped |= {id(slot) for slot in rng.sample(longer, excess)}
    return tuple(
        Passage(story.words, tuple(slot for slot in story.slots if id(slot) not in dropped))
        for story in stories
    )


def _opening(rng: random.Random, cast: list[str]) -> list[str]:
    """Say where everybody was: the way every story of the world begins."""
    return [
        word for name in cast for word in (name, "was", "in", "the", rng.choice(lx.PLACES), ".")
    ]


def _agreement_passage(rng: random.Random, split: Split, sentences: int = 8) -> Passage:
    words, slots = _opening(rng, draw_cast(rng, 2, split)), []
    for _ in range(sentences):
        before, verb, wrong, condition = agreement_sentence(rng, split)
        words += before
        slots.append(Slot("agreement", len(words), verb, (wrong,), condition))
        words += [verb, "."]
    return Passage(tuple(words), tuple(slots))


def _fact_passages(rng: random.Random, world: World, split: Split) -> Iterator[Passage]:
    """Ask every fact once, eight towns to a passage so that no town comes twice in one."""
    for relation in ("flag", "goods"):
        towns = list(world.towns)
        rng.shuffle(towns)
        for start in range(0, len(towns), 8):
            words, slots = _opening(rng, draw_cast(rng, 2, split)), []
            for town in towns[start : start + 8]:
                before, answer, foils = fact_sentence(world, town, relation, split)
                words += before
                condition = f"{relation}.{world.frequency_bin(town)}"
                slots.append(Slot("fact", len(words), answer, foils, condition))
                words += [answer, "."]
            yield Passage(tuple(words), tuple(slots))


def _where_frame(name: str, split: Split) -> list[str]:
    return (
        [name, "is", "now", "in", "the"]
        if split is Split.SEALED
        else ["now", name, "is", "in", "the"]
    )


def _order_pair(rng: random.Random, split: Split) -> ContextPair:
    """Two moves of one character; only in the coherent order does the last line follow."""
    name, other = draw_cast(rng, 2, split)
    first, last = rng.sample(lx.PLACES, 2)
    moves = [[name, *rng.choice(lx.MOVES).split(), "the", place, "."] for place in (first, last)]
    # The other character goes to the last place too: how recently it was named tells nothing.
    follows = [other, *rng.choice(lx.MOVES).split(), "the", last, "."]
    opening = _opening(rng, [name, other])
    filler, verb, _, _ = agreement_sentence(rng, split)
    tail = [*follows, *filler, verb, ".", *_where_frame(name, split)]
    return ContextPair(
        coherent=" ".join([*opening, *moves[0], *moves[1], *tail]),
        corrupted=" ".join([*opening, *moves[1], *moves[0], *tail]),
        region=f"{last} .",
        condition="order",
    )


def _contradiction_pair(rng: random.Random, split: Split) -> ContextPair:
    """Two characters take one thing each; swapped names contradict the last line."""
    name, other = draw_cast(rng, 2, split)
    thing, other_thing = rng.sample(lx.THINGS, 2)
    verbs = [rng.choice(lx.TAKES).split() for _ in range(2)]
    opening = _opening(rng, [name, other])
    filler, verb, _, _ = agreement_sentence(rng, split)
    tail = [*filler, verb, "."]
    sealed = split is Split.SEALED
    tail += ["the", thing, "is", "now", "with"] if sealed else ["now", "the", thing, "is", "with"]
    flip = rng.random() < 0.5

    def told(first: str, second: str) -> str:
        takes = [
            [first, *verbs[0], "the", thing, "."],
            [second, *verbs[1], "the", other_thing, "."],
        ]
        if flip:
            takes.reverse()
        return " ".join([*opening, *takes[0], *takes[1], *tail])

    return ContextPair(told(name, other), told(other, name), f"{name} .", "contradiction")
