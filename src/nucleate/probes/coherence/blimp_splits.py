"""BLiMP taken apart: attractors, what n-grams solve, and pairs whose words the corpus has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from nucleate.corpora.items import MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.solvable import ATTRACTOR, FIVE_GRAM, SOLVABLE
from nucleate.probes.coherence.baselines import accuracy_by_condition, sample_ngrams
from nucleate.probes.coherence.request import SuiteRequest

KNOWN = 3
"""Times that a word must occur in the corpus to count as known."""

_WORD = re.compile(r"[^\W_]+")


def blimp_splits(chosen: ItemSet, request: SuiteRequest) -> tuple[dict[str, list[int]], list[str]]:
    """Return places by attractor and by what n-grams solve, and a note on the latter.

    A paradigm is solved if BLiMP's own 5-gram model is right more than `SOLVABLE` of the time, or
    a trigram model of the request's sample (where it has one) is.
    """
    pairs = [item for item in chosen.items if isinstance(item, MinimalPair)]
    present = list(dict.fromkeys(pair.condition for pair in pairs))
    accuracy, who = dict(FIVE_GRAM), "BLiMP's own 5-gram model"
    if request.sample:
        ngrams = sample_ngrams(request.sample, request.tokenizer)
        own = accuracy_by_condition(pairs, request.tokenizer, ngrams, request.context)
        accuracy = {name: max(own[name], FIVE_GRAM.get(name, 0.0)) for name in present}
        who += " or a trigram model of the corpus"
    beyond = [name for name in present if accuracy.get(name, 1.0) <= SOLVABLE]
    solved = [name for name in present if accuracy.get(name, 0.0) > SOLVABLE]
    splits = {
        "attractor": _where(pairs, ATTRACTOR),
        "beyond_ngrams": _where(pairs, beyond),
        "ngram_solvable": _where(pairs, solved),
    }
    if not beyond and not solved:
        return splits, []
    note = f"blimp.beyond_ngrams: {len(beyond)} of {len(present)} paradigms; the others are solved"
    return splits, [f"{note} by {who} (right more than {SOLVABLE} of the time)"]


def with_known_words(found: ItemSet, sample: Sequence[str]) -> ItemSet:
    """Return the pairs all of whose words occur in the corpus, as BabyLM filters BLiMP."""
    counts = Counter(word for text in sample for word in _WORD.findall(text.lower()))

    def is_known(pair: MinimalPair) -> bool:
        words = _WORD.findall(f"{pair.good} {pair.bad}".lower())
        return all(counts[word] >= KNOWN for word in words)

    kept = tuple(pair for pair in found.items if isinstance(pair, MinimalPair) and is_known(pair))
    return replace(found, name=f"{found.name}_known", items=kept)


def _where(pairs: Sequence[MinimalPair], names: Iterable[str]) -> list[int]:
    wanted = set(names)
    return [place for place, pair in enumerate(pairs) if pair.condition in wanted]
