"""A reader that understands the story world: it parses the text, never the generator's notes.

It answers every slot from the words before it, and so checks that the answers are right.
"""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.corpora.items import Slot
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.storyworld.facts import World

_SINGULAR = {singular for singular, _ in lx.NOUNS}
_PLURAL = {plural for _, plural in lx.NOUNS}
_SINGULAR_VERBS = {singular for singular, _ in lx.VERBS}
_CAUSE_OF = {tuple(clause.split()): state for clause, state in lx.CAUSES}
_TAKE_VERBS = {tuple(verb.split()) for verb in lx.TAKES}
_MOVE_VERBS = {tuple(verb.split()) for verb in lx.MOVES}


def sentences(words: Sequence[str]) -> list[list[str]]:
    """Split words into sentences without their full stops; the last one may be unfinished."""
    out: list[list[str]] = [[]]
    for word in words:
        if word == ".":
            out.append([])
        else:
            out[-1].append(word)
    return out


def choose(words: Sequence[str], slot: Slot, world: World) -> str:
    """Return the option of a slot that the words before it demand.

    Args:
        words: The passage; only ``words[: slot.index]`` is read.
        slot: Gives the options, in any order; its own answer is not consulted.
        world: The facts, known to anybody who has read enough.
    """
    *past, current = sentences(words[: slot.index])
    options = sorted((slot.answer, *slot.foils))
    answer = _READERS[slot.kind](past, current, world)
    if slot.kind == "agreement":
        singular = answer == "singular"
        return next(option for option in options if (option in _SINGULAR_VERBS) == singular)
    return answer


def _places(past: list[list[str]]) -> dict[str, str]:
    place = {}
    for line in past:
        if line[1:4] == ["was", "in", "the"] or tuple(line[1:3]) in _MOVE_VERBS:
            place[line[0]] = line[-1]
    return place


def _holders(past: list[list[str]]) -> dict[str, str]:
    holder = {}
    for line in past:
        if "gave" in line:
            holder[line[3]] = line[-1]
        elif line[0] in lx.NAMES and tuple(line[1:-2]) in _TAKE_VERBS:
            holder[line[-1]] = line[0]
    return holder


def _where(past: list[list[str]], current: list[str], world: World) -> str:
    return _places(past)[next(word for word in current if word in lx.NAMES)]


def _holder(past: list[list[str]], current: list[str], world: World) -> str:
    return _holders(past)[next(word for word in current if word in lx.THINGS)]


def _agreement(past: list[list[str]], current: list[str], world: World) -> str:
    subject = next(word for word in current if word in _SINGULAR or word in _PLURAL)
    return "singular" if subject in _SINGULAR else "plural"


def _cause(past: list[list[str]], current: list[str], world: World) -> str:
    name = next(word for word in current if word in lx.NAMES)
    happened = [line for line in past if line[0] == name and tuple(line[1:]) in _CAUSE_OF]
    return _CAUSE_OF[tuple(happened[-1][1:])]


def _fact(past: list[list[str]], current: list[str], world: World) -> str:
    town = next(word for word in current if word in world.flag)
    return world.flag[town] if "flag" in current else world.goods[town]


def _song(past: list[list[str]], current: list[str], world: World) -> str:
    sung = current[current.index(":") + 1 :]
    verse = next(
        line[line.index(":") + 1 :]
        for line in reversed(past)
        if "sang" in line and line[0] == "the" and line[4 : 4 + len(sung)] == sung
    )
    return verse[len(sung)]


def _ending(past: list[list[str]], current: list[str], world: World) -> str:
    wish = next(line for line in past if line[1:2] == ["wanted"])
    return "happy" if _holders(past).get(wish[-1]) == wish[0] else "sad"


_READERS = {
    "where": _where,
    "holder": _holder,
    "agreement": _agreement,
    "cause": _cause,
    "fact": _fact,
    "song": _song,
    "ending": _ending,
}
