"""Long context: loss by position, needles by length and complexity, far context, and the score."""

from __future__ import annotations

from typing import Any

from nucleate.core import DataError, Level
from nucleate.corpora.narrative.far import far_pairs
from nucleate.corpora.narrative.needles import needle_items
from nucleate.corpora.pairs import FEWEST
from nucleate.probes.behaviour.needles import NeedleItems
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.behaviour.position import PositionItems
from nucleate.probes.coherence.fitting import Fitting
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.stories import Material, material
from nucleate.probes.registry import Probe, get_probe
from nucleate.probes.scores.choices import PairChoices, SomeChoices
from nucleate.probes.scores.composite import Composite, Kind
from nucleate.probes.scores.probes import LONG_CONTEXT
from nucleate.probes.text_suite import document_rows

SHORTEST = 64
"""Length of the shortest text with a needle, in tokens; then it doubles."""

NEAREST = 32
"""Fewest tokens between the exchanged context and the asked sentence; then it doubles."""

BINDING = ("keys", "update", "hops")
"""Needles of which several must be told apart: a single one is found by its presence."""


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about long context; the primary is the long-context consistency score."""
    stories = material(request)
    notes = list(stories.notes)
    found: list[tuple[Probe, Any]] = []
    kinds: list[Kind] = []
    try:
        number = max(8, request.items // 4)
        rows, more = document_rows(
            stories.texts, request.tokenizer, number, request.context, request.seed
        )
        found.append((get_probe("loss"), PositionItems(rows)))
        notes += more
    except DataError:
        notes.append("loss by position is not measured: no story is long enough")
    needles = _needles(stories, request)
    if needles:
        found.append((get_probe("needle"), needles))
        kinds += _needle_kinds(needles)
    else:
        notes.append("needles are not measured: the tokenizer cannot write them in the window")
    far, more = _far(stories, request)
    notes += more
    if far:
        found.append((get_probe("far"), far))
        kinds += _far_kinds(far)
    if {kind.group for kind in kinds} == {"needle", "far"}:
        score = Composite(LONG_CONTEXT, Level.LONG_CONTEXT, kinds)
        found.append((get_probe(LONG_CONTEXT), score))
        notes.append(_said(kinds))
        return Parts(tuple(found), {Level.LONG_CONTEXT: LONG_CONTEXT}, tuple(notes))
    notes.append(f"{LONG_CONTEXT} is not measured: it needs needles and far context")
    return Parts(tuple(found), {}, tuple(notes))


def lengths(context: int) -> list[int]:
    """Return lengths that double up to the window, the window itself included."""
    found = [SHORTEST]
    while 2 * found[-1] < context:
        found.append(2 * found[-1])
    return [*(length for length in found if length < 0.75 * context), context - 1]


def distances(context: int) -> list[int]:
    """Return distances that double up to half of the window."""
    found = [NEAREST]
    while 4 * found[-1] <= context:
        found.append(2 * found[-1])
    return found


def _needles(stories: Material, request: SuiteRequest) -> NeedleItems | None:
    filler = [sentence for text in stories.prose for run in text.runs for sentence in run]
    short = [sentence for sentence in dict.fromkeys(filler) if len(sentence) <= 100]
    items = needle_items(
        short,
        lengths=lengths(request.context),
        each=max(10, request.items // 5),
        tokens=stories.tokens,
        seed=request.seed,
    )
    fits = Fitting(request.tokenizer, request.context + 1).items([item.choice for item in items])
    kept = [item for item, good in zip(items, fits, strict=True) if good]
    return NeedleItems(kept, request.tokenizer, context=request.context) if kept else None


def _needle_kinds(items: NeedleItems) -> list[Kind]:
    made = []
    for length in sorted({item.length for item in items.items}):
        places = [p for level in BINDING for p in items.places(level=level, length=length)]
        if len(places) >= FEWEST:
            made.append(Kind(f"needle{length}", "needle", SomeChoices(items, tuple(places))))
    return made


def _far(stories: Material, request: SuiteRequest) -> tuple[PairItems | None, list[str]]:
    pairs = far_pairs(
        stories.prose,
        distances=distances(request.context),
        each=request.items,
        longest=request.context - 2,
        tokens=stories.tokens,
        seed=request.seed,
    )
    if not pairs:
        return None, ["far context is not measured: no story is long enough"]
    return PairItems(pairs, request.tokenizer, context=request.context), []


def _far_kinds(items: PairItems) -> list[Kind]:
    names = dict.fromkeys(items.conditions)
    places = {n: tuple(p for p, c in enumerate(items.conditions) if c == n) for n in names}
    return [
        Kind(n, "far", PairChoices(items, own)) for n, own in places.items() if len(own) >= FEWEST
    ]


def _said(kinds: list[Kind]) -> str:
    told = ", ".join(kind.name for kind in kinds)
    return f"{LONG_CONTEXT} is of {told}: only models with the same window can be compared"
