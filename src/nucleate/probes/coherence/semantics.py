"""Semantics: what words mean together, asked by likelihood of continuations."""

from __future__ import annotations

from nucleate.core import Level
from nucleate.corpora.items import Choice
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.catalogue import (
    COMBINATIONS,
    COMPS,
    CONCEPTS,
    COPA,
    HELLASWAG,
    LAMBADA,
    PIQA,
    WINOGRAD,
    WINOGRANDE,
)
from nucleate.corpora.sets.published import Published
from nucleate.probes.behaviour.choice import ChoiceItems, choice_probe
from nucleate.probes.behaviour.cloze import ClozeItems, cloze_probe
from nucleate.probes.coherence.fitting import choose
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.registry import Probe

SETS = (LAMBADA, HELLASWAG, COPA, PIQA, WINOGRAD, WINOGRANDE, COMPS, CONCEPTS, COMBINATIONS)


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about semantics; the primary metric is LAMBADA, else the first set found."""
    found, notes = parts_of(SETS, request)
    primary = {Level.SEMANTICS: found[0][0].name} if found else {}
    return Parts(found, primary, notes)


def parts_of(
    sets: tuple[Published, ...], request: SuiteRequest
) -> tuple[tuple[tuple[Probe, ChoiceItems | ClozeItems], ...], tuple[str, ...]]:
    """Return probe and items of each set that is there, and notes."""
    found: list[tuple[Probe, ChoiceItems | ClozeItems]] = []
    notes: list[str] = []
    for published in sets:
        chosen, more = choose(published, request)
        notes += more
        if chosen is not None:
            found.append(part_of(chosen, request))
    return tuple(found), tuple(notes)


def part_of(chosen: ItemSet, request: SuiteRequest) -> tuple[Probe, ChoiceItems | ClozeItems]:
    """Return probe and items of one set; schemas and sentences of equal role are not normalised."""
    first = chosen.items[0]
    if isinstance(first, Choice):
        schema = len({text for _, text in first.candidates}) == 1
        items = ChoiceItems.of(
            chosen, request.tokenizer, context=request.context, normalise=not schema
        )
        return choice_probe(items), items
    clozes = ClozeItems.of(
        chosen,
        request.tokenizer,
        context=request.context,
        perplexity=chosen.name == LAMBADA.name,
    )
    return cloze_probe(clozes), clozes
