"""Readers of the story world, put where a model stands: one that understands, and shallow ones.

They see what a model sees: the tokens before the asked position, and the tokens that are asked.
"""

from __future__ import annotations

import numpy as np

from nucleate.corpora.items import Slot
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.storyworld.oracle import choose, sentences

VERBS = {form for pair in lx.VERBS for form in pair}
ALL_STATES = {state for _, state in lx.CAUSES}


def kind_of(current, options):
    """Infer the kind of slot from the unfinished sentence; None when nothing is decided here."""
    if ":" in current:
        return "song" if current[0] == "again" else None
    if "flag" in current or "sell" in current:
        return "fact"
    if current[:3] == ["in", "the", "end"]:
        return "ending"
    if current[:1] == ["so"]:
        return "cause" if set(options) <= ALL_STATES else None
    if current[-1:] == ["with"] and "is" in current:
        return "holder"
    if current[-2:] == ["in", "the"] and "is" in current:
        return "where"
    return "agreement" if set(options) <= VERBS else None


class _Reader:
    """Turns a plan into questions ``(words so far, options in sorted order)``.

    Sorted, so that no reader can tell the right option by its place.
    """

    def __init__(self, tokenizer):
        self._word = {index: word for word, index in tokenizer.get_vocab().items()}

    def answers(self, plan):
        out = np.full(int(plan.offsets[-1]), np.nan)
        for first, before, tokens in plan.questions():
            words = [self._word[token] for token in before[1:]]
            options = [self._word[token] for token in tokens]
            scores = self.scores(words, sorted(options))
            out[first : first + len(options)] = [scores[option] for option in options]
        return out


class Oracle(_Reader):
    """Log-probability 0 for what the text so far demands, -10 for everything else.

    It infers from the unfinished sentence what is asked.
    """

    def __init__(self, world, tokenizer):
        super().__init__(tokenizer)
        self._world = world

    def scores(self, words, options):
        kind = kind_of(sentences(words)[-1], options)
        demanded = "."  # where nothing is decided, a sentence that is told ends
        if kind is not None:
            slot = Slot(kind, len(words), options[0], tuple(options[1:]))
            demanded = choose(words, slot, self._world)
        return {option: 0.0 if option == demanded else -10.0 for option in options}


class Shallow(_Reader):
    """Scores an option by one feature of the words so far.

    Args:
        feature: ``(words, option) -> float``; the option with the largest is chosen.
    """

    def __init__(self, tokenizer, feature):
        super().__init__(tokenizer)
        self._feature = feature

    def scores(self, words, options):
        return {option: float(self._feature(words, option)) for option in options}


def last_mention(words, option):
    return max((place for place, word in enumerate(words) if word == option), default=-1)


def first_mention(words, option):
    return -words.index(option) if option in words else -len(words)


def mentions(words, option):
    return words.count(option)
