"""Syntax: minimal pairs of sentences, English first, then agreement in other languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

FEWEST = 20
"""A paradigm with fewer pairs is not reported by itself."""

CLAMS_ATTRACTOR = ("obj_rel_", "subj_rel", "prep_")
"""Beginnings of CLAMS paradigms in which another noun stands between subject and verb."""


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
        if len(places) >= FEWEST or name in (ALL, "")
    }
    return {**kept, **{name: places for name, places in splits.items() if places}}, notes


def blimp_splits(chosen: ItemSet, request: SuiteRequest) -> tuple[dict[str, list[int]], list[str]]:
    """Split BLiMP by attractors, and by what an n-gram model solves.

    The n-gram model is a trigram of the request's sample where it has one, else the 5-gram model
    whose accuracies are published with BLiMP.
    """
    pairs = [item for item in chosen.items if isinstance(item, MinimalPair)]
    if request.sample:
        ngrams = sample_ngrams(request.sample, request.tokenizer)
        accuracy: Mapping[str, float] = accuracy_by_condition(
            pairs, request.tokenizer, ngrams, request.context
        )
        note = "blimp.beyond_ngrams: paradigms on which a trigram model of the corpus stays at "
    else:
        accuracy = FIVE_GRAM
        note = "blimp.beyond_ngrams: paradigms on which BLiMP's own 5-gram model stays at "
    solved = {name for name, value in accuracy.items() if value > SOLVABLE}
    present = {pair.condition for pair in pairs}
    beyond = [accuracy[name] for name in present if name in accuracy and name not in solved]
    mean = f", {sum(beyond) / len(beyond):.2f} on average" if beyond else ""
    unknown = not any(name in accuracy for name in present)
    return {
        "attractor": _where(pairs, [name for name in present if name in ATTRACTOR]),
        "ngram_solvable": _where(pairs, [name for name in present if name in solved]),
        "beyond_ngrams": []
        if unknown
        else _where(pairs, [n for n in present if n in accuracy and n not in solved]),
    }, [] if unknown else [f"{note}{SOLVABLE} or below{mean}"]


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


def _where(pairs: Sequence[MinimalPair], names: Sequence[str]) -> list[int]:
    wanted = set(names)
    return [place for place, pair in enumerate(pairs) if pair.condition in wanted]
