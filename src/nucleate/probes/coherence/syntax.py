"""Syntax: minimal pairs of sentences, English first, then agreement in other languages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from nucleate.core import Level
from nucleate.corpora.items import MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.catalogue import BLIMP, CLAMS, HYPERBATON, MULTIBLIMP, TURBLIMP
from nucleate.corpora.sets.solvable import ATTRACTOR, FIVE_GRAM, SOLVABLE
from nucleate.probes.behaviour.choice import ALL, ChoiceItems, choice_probe, conditions
from nucleate.probes.coherence.baselines import accuracy_by_condition, sample_ngrams
from nucleate.probes.coherence.fitting import choose
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.registry import Probe

PAIRS = 5
"""Pairs for every item of the dial: sentences are short, and there are many paradigms."""

FEWEST = {"blimp": 20}
"""A paradigm with fewer pairs (50 where nothing is said) is not reported by itself."""

KNOWN = 3
"""Times that a word must occur in the corpus to count as known."""

CLAMS_ATTRACTOR = ("obj_rel_", "subj_rel", "prep_")
"""Beginnings of CLAMS paradigms in which another noun stands between subject and verb."""


_WORD = re.compile(r"[^\W_]+")


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about syntax; the primary metric is BLiMP beyond what n-grams solve."""
    found: list[tuple[Probe, ChoiceItems]] = []
    notes: list[str] = []
    primary: dict[Level, str] = {}
    for published in (BLIMP, CLAMS, TURBLIMP, MULTIBLIMP, HYPERBATON):
        few = published is HYPERBATON
        chosen, more = choose(published, request, request.items * (1 if few else PAIRS))
        notes += more
        if chosen is None:
            continue
        groups, more = _groups(chosen, request)
        notes += more
        items = ChoiceItems.of(
            chosen, request.tokenizer, context=request.context, groups=groups, normalise=False
        )
        found.append((choice_probe(items), items))
        if published is BLIMP:
            beyond = groups.get("beyond_ngrams")
            primary[Level.SYNTAX] = "blimp.beyond_ngrams" if beyond else f"blimp.{ALL}"
    return Parts(tuple(found), primary, tuple(notes))


def _groups(chosen: ItemSet, request: SuiteRequest) -> tuple[dict[str, list[int]], list[str]]:
    """Return which places are reported together: paradigms, languages, and splits over them."""
    names = [item.condition for item in chosen.items]
    groups = conditions(names)
    if chosen.name == "blimp":
        splits, notes = blimp_splits(chosen, request)
    else:
        splits, notes = (language_splits(names), []) if chosen.name != "turblimp" else ({}, [])
    kept = {
        name: places
        for name, places in groups.items()
        if len(places) >= FEWEST.get(chosen.name, 50) or name in (ALL, "")
    }
    return {**kept, **{name: places for name, places in splits.items() if places}}, notes


def blimp_splits(chosen: ItemSet, request: SuiteRequest) -> tuple[dict[str, list[int]], list[str]]:
    """Split BLiMP by attractors, by what n-grams solve, and by whether the corpus has the words.

    The n-gram model is a trigram of the request's sample where it has one, else the 5-gram model
    whose accuracies are published with BLiMP.
    """
    pairs = [item for item in chosen.items if isinstance(item, MinimalPair)]
    present = dict.fromkeys(pair.condition for pair in pairs)
    accuracy, who = dict(FIVE_GRAM), "BLiMP's own 5-gram model"
    splits = {"attractor": _where(pairs, ATTRACTOR)}
    if request.sample:
        ngrams = sample_ngrams(request.sample, request.tokenizer)
        accuracy = accuracy_by_condition(pairs, request.tokenizer, ngrams, request.context)
        who, splits["known_words"] = "a trigram model of the corpus", _known(pairs, request.sample)
    beyond = [name for name in present if accuracy.get(name, 1.0) <= SOLVABLE]
    splits["beyond_ngrams"] = _where(pairs, beyond)
    solvable = [name for name in present if accuracy.get(name, 0.0) > SOLVABLE]
    splits["ngram_solvable"] = _where(pairs, solvable)
    if not beyond:
        none = f"blimp.beyond_ngrams: none, {who} solves all {len(present)}"
        return splits, [none] if solvable else []
    mean = sum(accuracy[name] for name in beyond) / len(beyond)
    where = f"{len(beyond)} of {len(present)} paradigms, where {who} is right at most {SOLVABLE}"
    return splits, [f"blimp.beyond_ngrams: {where} of the time ({mean:.2f} on average)"]


def language_splits(names: Sequence[str]) -> dict[str, list[int]]:
    """Group conditions ``language.paradigm`` by language, and by attractors."""
    splits: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        language, dot, paradigm = name.partition(".")
        if dot:
            splits.setdefault(language, []).append(place)
            if paradigm.startswith(CLAMS_ATTRACTOR):
                splits.setdefault("attractor", []).append(place)
    return splits


def _known(pairs: Sequence[MinimalPair], sample: Sequence[str]) -> list[int]:
    """Return the pairs all of whose words occur in the corpus, as BabyLM filters BLiMP."""
    counts = Counter(word for text in sample for word in _WORD.findall(text.lower()))
    return [
        place
        for place, pair in enumerate(pairs)
        if all(counts[word] >= KNOWN for word in _WORD.findall(f"{pair.good} {pair.bad}".lower()))
    ]


def _where(pairs: Sequence[MinimalPair], names: Sequence[str]) -> list[int]:
    wanted = set(names)
    return [place for place, pair in enumerate(pairs) if pair.condition in wanted]
