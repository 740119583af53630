"""Syntax: minimal pairs of sentences, English first, then agreement in other languages."""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.core import Level
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets import load
from nucleate.corpora.sets.catalogue import BLIMP, CLAMS, HYPERBATON, MULTIBLIMP, TURBLIMP
from nucleate.probes.behaviour.choice import ALL, ChoiceItems, choice_probe, conditions
from nucleate.probes.coherence.blimp_splits import blimp_splits, with_known_words
from nucleate.probes.coherence.fitting import choose, choose_of
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.registry import Probe

PAIRS = 5
"""Pairs for every item of the dial: sentences are short, and there are many paradigms."""

FEWEST = {"blimp": 20}
"""A paradigm with fewer pairs (50 where nothing is said) is not reported by itself."""

CLAMS_ATTRACTOR = ("obj_rel_", "subj_rel", "prep_")
"""Beginnings of CLAMS paradigms in which another noun stands between subject and verb."""


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about syntax; the primary metric is BLiMP beyond what n-grams solve."""
    found: list[tuple[Probe, ChoiceItems]] = []
    notes: list[str] = []
    primary: dict[Level, str] = {}
    for published in (BLIMP, CLAMS, TURBLIMP, MULTIBLIMP, HYPERBATON):
        number = request.items * (1 if published is HYPERBATON else PAIRS)
        chosen, more = choose(published, request, number)
        notes += more
        if chosen is not None:
            items, more = _items(chosen, request)
            found.append((choice_probe(items), items))
            notes += more
            if published is BLIMP:
                beyond = items.groups.get("beyond_ngrams")
                primary[Level.SYNTAX] = "blimp.beyond_ngrams" if beyond else f"blimp.{ALL}"
    more_items, more = _known_words(request)
    return Parts((*found, *more_items), primary, (*notes, *more))


def _known_words(request: SuiteRequest) -> tuple[list[tuple[Probe, ChoiceItems]], list[str]]:
    """Ask the pairs of BLiMP whose words the sample of the corpus has; nothing without one."""
    every = load(BLIMP, request.data, hub=request.hub) if request.sample else None
    if every is None:
        return [], []
    known = with_known_words(every, request.sample)
    chosen, notes = choose_of(known, request, request.items * PAIRS)
    if chosen is None:
        return [], notes
    items, _ = _items(chosen, request)
    return [(choice_probe(items), items)], notes


def _items(chosen: ItemSet, request: SuiteRequest) -> tuple[ChoiceItems, list[str]]:
    groups, notes = _groups(chosen, request)
    items = ChoiceItems.of(
        chosen, request.tokenizer, context=request.context, groups=groups, normalise=False
    )
    return items, notes


def _groups(chosen: ItemSet, request: SuiteRequest) -> tuple[dict[str, list[int]], list[str]]:
    """Return which places are reported together: paradigms, languages, and splits over them."""
    names = [item.condition for item in chosen.items]
    splits: dict[str, list[int]] = {}
    notes: list[str] = []
    if chosen.name == BLIMP.name:
        splits, notes = blimp_splits(chosen, request)
    elif chosen.name in (CLAMS.name, MULTIBLIMP.name):
        splits = language_splits(names)
    fewest = FEWEST.get(chosen.name, 50)
    kept = {
        name: places
        for name, places in conditions(names).items()
        if len(places) >= fewest or name in (ALL, "")
    }
    return {**kept, **{name: places for name, places in splits.items() if places}}, notes


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
