"""Knowledge: facts of the world, asked as unfinished statements and as questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nucleate.core import Level
from nucleate.corpora.sets.catalogue import ARC_CHALLENGE, ARC_EASY, JEOPARDY, OPENBOOKQA, WIKIDATA
from nucleate.corpora.sets.pararel import Fact, count_names, read_facts
from nucleate.corpora.sets.rows import read_rows
from nucleate.probes.behaviour.recall import RecallItems, recall_probe
from nucleate.probes.coherence.fitting import Fitting, some
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.semantics import parts_of
from nucleate.probes.registry import Probe

SETS = (WIKIDATA, ARC_EASY, ARC_CHALLENGE, OPENBOOKQA, JEOPARDY)
PARAREL = "pararel/*.jsonl.gz"


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about knowledge; the primary metric is recall beyond the prompt's prior."""
    found, notes = parts_of(SETS, request)
    facts, more = _facts(request)
    primary = {Level.KNOWLEDGE: found[0][0].name} if found else {}
    both: tuple[tuple[Probe, Any], ...] = found
    if facts:
        counts = count_names([fact.subject for fact in facts], request.sample)
        items = RecallItems(
            facts,
            request.tokenizer,
            name="pararel",
            context=request.context,
            counts=counts if request.sample else None,
        )
        both, primary = ((recall_probe(items), items), *found), {Level.KNOWLEDGE: "pararel.recall"}
        if not request.sample:
            more.append("pararel: no corpus to count names in, so not reported by frequency")
    return Parts(both, primary, (*more, *notes))


def _facts(request: SuiteRequest) -> tuple[list[Fact], list[str]]:
    files = sorted(request.data.glob(PARAREL)) if request.data else []
    if not files:
        return [], ["pararel is not measured: it is not in the data folder"]
    rows = [row for file in files for row in read_rows(Path(file))]
    facts = read_facts(rows, seed=request.seed)
    fitting = Fitting(request.tokenizer, request.context)

    def fits(some_facts: Any) -> list[bool]:
        longest = [_longest(fact) for fact in some_facts]
        return fitting.texts(longest)

    relations = [fact.relation for fact in facts]
    return some(facts, relations, request.items, request, "pararel", fits)


def _longest(fact: Fact) -> str:
    """Return one text that holds every word a fact is asked with, for a check of the tokenizer."""
    return f"{max(fact.prompts, key=len)} {' '.join(fact.objects)}"
