"""Tell one story: sentences, and for every word that the plot decides, what it must be and why."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate, combinations

from nucleate.core.settings import Settings
from nucleate.corpora.items import Passage, Slot
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.storyworld.facts import World
from nucleate.corpora.storyworld.splits import Split, split_of


class Mixture(Settings):
    """How often each kind of sentence is told (relative weights), and how long stories are."""

    move: float = 3.0
    where: float = 5.0
    take: float = 1.0
    give: float = 0.5
    holder: float = 3.0
    agreement: float = 2.0
    cause: float = 1.0
    fact: float = 1.5
    song: float = 3.0
    characters: tuple[int, int] = (2, 3)
    beats: tuple[int, int] = (8, 12)
    song_words: tuple[int, int] = (5, 8)


def agreement_sentence(rng: random.Random, split: Split) -> tuple[list[str], str, str, str]:
    """Return ``(words before the verb, right verb, wrong verb, condition)``.

    Conditions: ``simple`` (no noun between), ``matched``/``attractor`` (a noun of the same/the
    other number in a prepositional phrase), ``relative`` (a clause with a subject of the other
    number between).
    """
    while True:
        subject, other = rng.choice(lx.NOUNS), rng.choice(lx.NOUNS)
        verb = rng.choice(lx.VERBS)
        if subject is not other and split_of(subject[0], other[0], verb[0]) is split:
            break
    number, other_number = rng.randrange(2), rng.randrange(2)
    shape = rng.random()
    words = ["the", subject[number]]
    if rng.random() < 0.3:
        words.insert(1, rng.choice(lx.ADJECTIVES))
    if shape < 0.3:
        condition = "simple"
    elif shape < 0.75:
        condition = "matched" if number == other_number else "attractor"
        phrase = [rng.choice(lx.PREPOSITIONS), "the", other[other_number]]
        if split is Split.SEALED:
            phrase.insert(2, rng.choice(lx.ADJECTIVES))
        words += phrase
    else:
        condition = "relative_matched" if number == other_number else "relative"
        clause_verb = rng.choice(lx.RELATIVE_VERBS)
        words += ["that", "the", other[other_number], clause_verb[other_number]]
    return words, verb[number], verb[1 - number], condition


def fact_sentence(
    world: World, town: str, relation: str, split: Split
) -> tuple[list[str], str, tuple[str, ...]]:
    """Return ``(words before the answer, answer, foils)`` for ``flag`` or ``goods`` of a town."""
    flag = relation == "flag"
    if split is Split.SEALED:
        words = ["in", town, "the", *(("flag", "is") if flag else ("people", "sell"))]
    else:
        words = ["the", *(("flag", "of", town, "is") if flag else ("people", "of", town, "sell"))]
    answer = world.flag[town] if flag else world.goods[town]
    choices = lx.COLOURS if flag else lx.GOODS
    return words, answer, tuple(word for word in choices if word != answer)


def draw_cast(rng: random.Random, size: int, split: Split) -> list[str]:
    """Draw distinct names that may stand together in a story of the split.

    Pairs of names belong to splits. Training puts together only pairs of its own; a cast of another
    split holds at least one pair of that split and otherwise pairs of training, so that such a pair
    never stands in a training story.
    """
    while True:
        cast = rng.sample(lx.NAMES, size)
        splits = {split_of(*pair) for pair in combinations(cast, 2)}
        if split in splits and splits <= {split, Split.TRAIN}:
            return cast


class _Teller:
    """The state of a story while it is told."""

    def __init__(self, rng: random.Random, world: World, mixture: Mixture, split: Split) -> None:
        self.rng, self.world, self.mixture, self.split = rng, world, mixture, split
        self.words: list[str] = []
        self.slots: list[Slot] = []
        self.place: dict[str, str] = {}
        self.holder: dict[str, str] = {}
        self.updated: dict[str, int] = {}
        self.place_mentions: list[str] = []
        self.due: list[tuple[int, Callable[[], None]]] = []
        self.cause_pending = self.song_pending = False
        self.wish: tuple[str, str] | None = None
        self.cast = draw_cast(rng, rng.randint(*mixture.characters), split)

    def say(self, *words: str) -> None:
        self.words.extend(words)

    def slot(self, kind: str, answer: str, foils: list[str], condition: str, since: int) -> None:
        """Say the answer and note that the story decided it."""
        distance = len(self.words) - since if since >= 0 else -1
        self.slots.append(Slot(kind, len(self.words), answer, tuple(foils), condition, distance))
        self.words.append(answer)

    def set_place(self, name: str, place: str) -> None:
        self.place[name] = place
        self.place_mentions.append(place)
        self.updated[name] = len(self.words)

    def open(self) -> None:
        for name in self.cast:
            place = self.rng.choice(lx.PLACES)
            self.say(name, "was", "in", "the", place, ".")
            self.set_place(name, place)
        if self.rng.random() < 0.5:
            self.wish = (self.rng.choice(self.cast), self.rng.choice(lx.THINGS))
            self.say(self.wish[0], "wanted", "the", self.wish[1], ".")

    def move(self) -> None:
        name = self.rng.choice(self.cast)
        place = self.rng.choice(lx.PLACES)
        self.say(name, *self.rng.choice(lx.MOVES).split(), "the", place, ".")
        self.set_place(name, place)

    def where(self) -> None:
        name = self.rng.choice(self.cast)
        answer = self.place[name]
        foils = sorted(set(self.place_mentions) - {answer})
        if self.split is Split.SEALED:
            self.say(name, "is", "now", "in", "the")
        else:
            self.say("now", name, "is", "in", "the")
        near = self.place_mentions[-1] == answer
        self.slot("where", answer, foils, "near" if near else "far", self.updated[name])
        self.place_mentions.append(answer)
        self.say(".")

    def take(self) -> None:
        name, thing = self.rng.choice(self.cast), self.rng.choice(lx.THINGS)
        if self.wish and self.rng.random() < 0.5:
            thing = self.wish[1]
        if thing in self.holder:
            return self.give()
        self.say(name, *self.rng.choice(lx.TAKES).split(), "the", thing, ".")
        self._hold(thing, name)
        return None

    def give(self) -> None:
        if not self.holder:
            return self.take()
        thing = self.rng.choice(list(self.holder))
        giver = self.holder[thing]
        taker = self.rng.choice([name for name in self.cast if name != giver])
        self.say(giver, "gave", "the", thing, "to", taker, ".")
        self._hold(thing, taker)
        return None

    def _hold(self, thing: str, name: str) -> None:
        self.holder[thing] = name
        self.updated[thing] = len(self.words)

    def holds(self) -> None:
        if not self.holder:
            return self.take()
        thing = self.rng.choice(list(self.holder))
        answer = self.holder[thing]
        foils = [name for name in self.cast if name != answer]
        if self.split is Split.SEALED:
            self.say("the", thing, "is", "now", "with")
        else:
            self.say("now", "the", thing, "is", "with")
        since = self.updated[thing]
        last_name = next(word for word in reversed(self.words) if word in self.place)
        self.slot("holder", answer, foils, "near" if last_name == answer else "far", since)
        self.say(".")
        return None

    def agree(self) -> None:
        words, verb, wrong, condition = agreement_sentence(self.rng, self.split)
        self.say(*words)
        self.slot("agreement", verb, [wrong], condition, -1)
        self.say(".")

    def cause(self) -> None:
        if self.cause_pending:
            return self.agree()
        name = self.rng.choice(self.cast)
        clause, state = self.rng.choice(lx.CAUSES)
        self.say(name, *clause.split(), ".")
        since = len(self.words)
        self.cause_pending = True

        def consequence() -> None:
            tail = ["by", "evening"]
            self.say("so", *(() if self.split is Split.SEALED else tail), name, "was")
            foils = [other for _, other in lx.CAUSES if other != state]
            self.slot("cause", state, foils, "", since)
            self.say(*(tail if self.split is Split.SEALED else ()), ".")
            self.cause_pending = False

        self.due.append((self.rng.randint(1, 3), consequence))
        return None

    def fact(self) -> None:
        town = self.world.draw_town(self.rng)
        relation = "flag" if self.rng.random() < 0.5 else "goods"
        words, answer, foils = fact_sentence(self.world, town, relation, self.split)
        self.say(*words)
        self.slot("fact", answer, list(foils), f"{relation}.{self.world.frequency_bin(town)}", -1)
        self.say(".")

    def song(self) -> None:
        if self.song_pending:
            return self.agree()
        self.song_pending = True
        singer = self.rng.choice(lx.SINGERS)
        verse = self.rng.sample(lx.SONG_WORDS, self.rng.randint(*self.mixture.song_words))
        self.say("the", singer, "sang", ":", *verse, ".")
        since = len(self.words)

        def refrain() -> None:
            self.say("again", "the", singer, "sang", ":", verse[0])
            for place, word in enumerate(verse[1:], start=1):
                # Words that were just sung are no rivals: no verse repeats a word.
                self.slot("song", word, verse[place + 1 :], "", since)
            self.say(".")
            self.song_pending = False

        self.due.append((self.rng.randint(1, 3), refrain))
        return None

    def run_due(self) -> None:
        waiting = [(beats - 1, action) for beats, action in self.due]
        self.due = [item for item in waiting if item[0] > 0]
        for beats, action in waiting:
            if beats <= 0:
                action()

    def close(self) -> None:
        while self.due:
            self.run_due()
        if self.wish:
            name, thing = self.wish
            happy = self.holder.get(thing) == name
            self.say("in", "the", "end", name, "was")
            answer, foil = ("happy", "sad") if happy else ("sad", "happy")
            self.slot("ending", answer, [foil], "", -1)
            self.say(".")


BEATS = ("move", "where", "take", "give", "holder", "agreement", "cause", "fact", "song")
"""The kinds of sentence, as the weights of `Mixture` name them."""
_METHODS = ("move", "where", "take", "give", "holds", "agree", "cause", "fact", "song")


def tell(rng: random.Random, world: World, mixture: Mixture, split: Split = Split.TRAIN) -> Passage:
    """Tell one story of a split.

    Args:
        rng: Source of every choice; advanced by a story's worth of draws.
        world: The facts that may be told.
        mixture: Weights of the kinds of sentence.
        split: Whose combinations of words may be used.
    """
    teller = _Teller(rng, world, mixture, split)
    weights = list(accumulate(getattr(mixture, beat) for beat in BEATS))
    teller.open()
    for method in rng.choices(_METHODS, cum_weights=weights, k=rng.randint(*mixture.beats)):
        getattr(teller, method)()
        teller.run_due()
    teller.close()
    return Passage(tuple(teller.words), tuple(teller.slots))
