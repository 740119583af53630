"""Other languages: causes and effects (XCOPA), and bits per byte of stories in many languages."""

from __future__ import annotations

from typing import Any

from nucleate.corpora.sets.catalogue import XCOPA
from nucleate.corpora.sets.rows import read_rows
from nucleate.probes.behaviour.bits import BitsItems, multilingual
from nucleate.probes.coherence.fitting import Fitting, choose
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.semantics import part_of
from nucleate.probes.registry import Probe, get_probe

STORIES = "corpora/storybooks_multilingual.jsonl.gz"

LANGUAGES = 12
"""Languages with most stories are asked; the others have too few for a standard error."""

FEWEST = 8
"""Stories without which a language is left out."""

SHORTEST = 80
"""Beginnings of stories are not cut shorter, in characters."""

__all__ = ["beginnings", "multilingual", "parts"]


def parts(request: SuiteRequest) -> Parts:
    """Return XCOPA and bits per byte, of which neither stands on the ladder."""
    found: list[tuple[Probe, Any]] = []
    chosen, notes = choose(XCOPA, request, request.items * 2)
    if chosen is not None:
        found.append(part_of(chosen, request))
    texts, more = _stories(request)
    if texts:
        items = BitsItems(texts, request.tokenizer, context=request.context)
        found.append((get_probe("multilingual"), items))
    return Parts(tuple(found), {}, (*notes, *more))


def _stories(request: SuiteRequest) -> tuple[dict[str, list[str]], list[str]]:
    file = request.data / STORIES if request.data else None
    if file is None or not file.is_file():
        return {}, ["bits per byte are not measured: there are no stories in several languages"]
    by_language: dict[str, list[str]] = {}
    for row in read_rows(file):
        by_language.setdefault(row["lang"], []).append(row["text"])
    order = sorted(by_language, key=lambda language: -len(by_language[language]))[:LANGUAGES]
    number = max(FEWEST, request.items // len(order))
    texts, left_out = {}, []
    for language in order:
        own = beginnings(by_language[language], number, request)
        if len(own) >= FEWEST:
            texts[language] = own
        else:
            left_out.append(language)
    notes = []
    if left_out:
        notes.append(f"bits per byte: the tokenizer cannot write stories in {', '.join(left_out)}")
    return texts, notes


def beginnings(texts: list[str], number: int, request: SuiteRequest) -> list[str]:
    """Return the longest beginnings of stories that fit the window, of the first that have one."""
    fitting, found = Fitting(request.tokenizer, request.context), list[str]()
    for text in sorted(texts, key=lambda text: (len(text) < 4 * SHORTEST, text))[: 4 * number]:
        begun = text.strip()[: 5 * request.context]
        while len(begun) >= SHORTEST and not fitting.texts([begun])[0]:
            begun = begun[: len(begun) * 3 // 4].rsplit(" ", 1)[0]
        if len(begun) >= SHORTEST:
            found.append(begun)
        if len(found) == number:
            break
    return found
