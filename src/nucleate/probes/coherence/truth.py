"""Truth: does a model follow its context or the world, where the two disagree?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nucleate.core import Level
from nucleate.corpora.narrative.truth import TruthItem, fact_truths, simple_truths
from nucleate.corpora.sets.pararel import read_facts
from nucleate.corpora.sets.rows import read_rows
from nucleate.probes.behaviour.truth import TruthItems
from nucleate.probes.coherence.fitting import Fitting, some
from nucleate.probes.coherence.knowledge import PARAREL
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.registry import get_probe


def parts(request: SuiteRequest) -> Parts:
    """Return the 2 × 2 items; the primary metric is the effect of the world on simple facts."""
    fitting = Fitting(request.tokenizer, request.context)

    def fits(items: Sequence[TruthItem]) -> list[bool]:
        return fitting.texts(
            [f"{i.true_context} {i.true} {i.false_context} {i.false}" for i in items]
        )

    found, notes = list[TruthItem](), list[str]()
    sets = {"simple": simple_truths(request.items, seed=request.seed)}
    files = sorted(request.data.glob(PARAREL)) if request.data else []
    if files:
        rows = [row for file in files for row in read_rows(Path(file))]
        sets["facts"] = fact_truths(read_facts(rows, seed=request.seed))
    else:
        notes.append("truth.facts is not measured: pararel is not in the data folder")
    for name, items in sets.items():
        relations = [str(item.document) for item in items]
        kept, more = some(items, relations, request.items, request, f"truth.{name}", fits)
        found += kept
        notes += more
    if not found:
        return Parts(notes=tuple(notes))
    primary = {Level.TRUTH: f"truth.{found[0].condition}.world"}
    asked = TruthItems(found, request.tokenizer, context=request.context)
    return Parts(((get_probe("truth"), asked),), primary, tuple(notes))
