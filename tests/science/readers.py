"""A reader that understands the story world, put where a model stands.

It sees what a model sees, the tokens before the asked position, and infers from the sentence so far
what is asked. The options reach it sorted, so that it cannot tell the right one by its place.
"""

from __future__ import annotations

from collections import defaultdict

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


class Oracle:
    """Log-probability 0 for what the text so far demands, -10 for everything else."""

    def __init__(self, world, tokenizer):
        self._world = world
        self._word = {index: word for word, index in tokenizer.get_vocab().items()}

    def answers(self, plan):
        out = np.full(int(plan.offsets[-1]), np.nan)
        for batch in plan.batches:
            width = batch.ids_BT.shape[1]
            asked = defaultdict(list)
            for row, token, target in zip(
                batch.row_K.tolist(), batch.token_K.tolist(), batch.target_K.tolist(), strict=True
            ):
                asked[int(batch.asked_A[row])].append((self._word[token], target))
            for place, options in asked.items():
                b, t = divmod(place, width)
                words = [self._word[token] for token in batch.ids_BT[b, 1 : t + 1].tolist()]
                demanded = self._demanded(words, sorted(option for option, _ in options))
                for option, target in options:
                    out[target] = 0.0 if option == demanded else -10.0
        return out

    def _demanded(self, words, options):
        current = sentences(words)[-1]
        kind = kind_of(current, options)
        if kind is None:
            return "."  # a sentence that is told ends
        slot = Slot(kind, len(words), options[0], tuple(options[1:]))
        return choose(words, slot, self._world)
