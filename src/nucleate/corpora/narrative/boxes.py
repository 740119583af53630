"""Box world: what is in a box, after so many operations on boxes (after Kim and Schuster 2023).

Boxes with things are described, then things are moved, put and removed. One box is asked about,
whose content at that time is exactly one thing. Two foils are set against the truth: the thing
that was mentioned last, and the one that the box held at the beginning.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

THINGS = (
    "apple ball bell book bread cake car clock coat cup doll drum egg fan fish flag flower fork "
    "hat key kite knife lamp leaf letter map mirror nut pen pie plate ring rock rope shell shirt "
    "shoe spoon star stick stone watch"
).split()

SHAPES = ((7, 12), (5, 8), (4, 6), (3, 4))
"""Boxes and most operations; the first that fits the window is taken."""

FOILS = 5
"""Wrong things that stand against the right one, at most."""


@dataclass(frozen=True, slots=True)
class BoxItem:
    """One question about one box.

    Attributes:
        context: Text up to the asked thing.
        options: The right thing first, then other things of the same text.
        last: Place in `options` of the thing mentioned last; 0 where that is the right one.
        initial: Place of what the asked box held at the beginning; 0 where it is right, -1 where
            the box was empty.
        operations: Operations since the asked box last changed.
        words: Words since then, as the distance in the text.
    """

    context: str
    options: tuple[str, ...]
    last: int
    initial: int
    operations: int
    words: int


@dataclass
class _World:
    """Boxes while operations happen; `events` holds the sentences and the boxes they touched."""

    content: list[list[str]]
    spare: list[str]
    events: list[tuple[str, set[int], str]]


def box_items(number: int, *, boxes: int = 7, operations: int = 12, seed: int = 0) -> list[BoxItem]:
    """Make items of which the last mention answers every other one.

    The rest have every distance 0 … `operations` - 1 about equally often.

    Args:
        number: Items to make.
        boxes: Boxes of a world, at least 3.
        operations: Most operations.
        seed: Seed of every choice.
    """
    items: list[BoxItem] = []
    for turn in range(number):
        rng = random.Random(f"boxes-{seed}-{turn}")
        near = turn % 2 == 0
        distance = 0 if near else turn // 2 % operations
        item = None
        while item is None or (item.last == 0) is not near:
            # Far changes need many operations, so their number depends on the distance.
            length = rng.randint(distance + 1, operations)
            item = _try(rng, boxes, length, distance)
        items.append(item)
    return items


def fitting_shape(longest: int, length: Callable[[str], int]) -> tuple[int, int] | None:
    """Return the largest shape whose texts have at most so many tokens, None where none fits."""
    for boxes, operations in SHAPES:
        texts = [
            item.context + " " + max(item.options, key=len)
            for item in box_items(3 * operations, boxes=boxes, operations=operations)
        ]
        if max(map(length, texts)) <= longest:
            return boxes, operations
    return None


def _try(rng: random.Random, boxes: int, length: int, distance: int) -> BoxItem | None:
    things = rng.sample(THINGS, boxes + 2)
    content = [[things.pop()] if rng.random() < 0.85 else [] for _ in range(boxes)]
    world = _World([list(c) for c in content], things, [])
    opening = " ".join(_described(box, content[box]) for box in range(boxes))
    for _ in range(length):
        _operate(rng, world)
    touched = [event for event, (_, who, _) in enumerate(world.events)]
    asked = [
        box
        for box in range(boxes)
        if len(world.content[box]) == 1
        and max((e for e in touched if box in world.events[e][1]), default=-1)
        == length - 1 - distance
    ]
    if not asked:
        return None
    box = rng.choice(asked)
    sentences = [text for text, _, _ in world.events]
    context = " ".join([opening, *sentences, f"Box {box + 1} now contains the"])
    words = sum(len(text.split()) for text in sentences[length - distance :])
    return _item(rng, world, content, box, context, distance, words)


def _item(
    rng: random.Random,
    world: _World,
    content: list[list[str]],
    box: int,
    context: str,
    distance: int,
    words: int,
) -> BoxItem | None:
    answer, last = world.content[box][0], world.events[-1][2]
    start = content[box][0] if content[box] else ""
    foils = [foil for foil in dict.fromkeys((last, start)) if foil and foil != answer]
    known = {thing for held in (*content, *world.content) for thing in held}
    known |= {thing for _, _, thing in world.events}
    others = sorted(known - {answer, *foils})
    foils += rng.sample(others, min(len(others), FOILS - len(foils)))
    if not foils:
        return None  # a world of one thing asks nothing
    options = (answer, *foils)
    initial = options.index(start) if start else -1
    return BoxItem(context, options, options.index(last), initial, distance, words)


def _described(box: int, held: Sequence[str]) -> str:
    return f"Box {box + 1} contains {f'the {held[0]}' if held else 'nothing'}."


def _operate(rng: random.Random, world: _World) -> None:
    full = [box for box, held in enumerate(world.content) if held]
    kinds = ["move"] * 4 * bool(full) + ["put"] * 2 * bool(world.spare) + ["remove"] * bool(full)
    kind = rng.choice(kinds)
    if kind == "put":
        thing, box = world.spare.pop(), rng.randrange(len(world.content))
        world.content[box].append(thing)
        world.events.append((f"Put the {thing} into Box {box + 1}.", {box}, thing))
        return
    source = rng.choice(full)
    thing = rng.choice(world.content[source])
    world.content[source].remove(thing)
    if kind == "remove":
        text = f"Remove the {thing} from Box {source + 1}."
        world.events.append((text, {source}, thing))
        return
    goal = rng.choice([box for box in range(len(world.content)) if box != source])
    world.content[goal].append(thing)
    text = f"Move the {thing} from Box {source + 1} to Box {goal + 1}."
    world.events.append((text, {source, goal}, thing))


def heuristics(items: Sequence[BoxItem]) -> dict[str, float]:
    """Return the accuracy of a reader who guesses, names the first content, or the last mention."""
    right = {
        "a guess": [1 / len(item.options) for item in items],
        "the initial content": [
            float(item.initial == 0) if item.initial >= 0 else 1 / len(item.options)
            for item in items
        ],
        "the last mention": [float(item.last == 0) for item in items],
    }
    return {name: sum(hits) / len(hits) for name, hits in right.items()}
