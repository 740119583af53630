"""Narrative: corrupted stories, orders, states, endings, and the narrative coherence score."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from nucleate.core import Level
from nucleate.corpora.items import Choice, ContextPair, MinimalPair
from nucleate.corpora.narrative.babi import BabiItem, babi_groups, babi_items
from nucleate.corpora.narrative.boxes import box_items, fitting_shape, heuristics
from nucleate.corpora.narrative.corruptions import (
    CONTEXT_KINDS,
    ORDER_KINDS,
    corrupt,
    fitting,
)
from nucleate.corpora.narrative.endings import ending_choices, labelled_choices, story_cloze
from nucleate.corpora.narrative.orders import published_orders
from nucleate.corpora.narrative.templates import template_pairs
from nucleate.corpora.pairs import FEWEST
from nucleate.corpora.sets.rows import SUFFIXES, Row, read_rows
from nucleate.probes.behaviour.boxes import BoxItems
from nucleate.probes.behaviour.choice import ChoiceItems, choice_probe
from nucleate.probes.behaviour.endings import EndingItems
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.coherence.fitting import Fitting, some
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.stories import Material, material
from nucleate.probes.generation.probe import GenerationItems
from nucleate.probes.generation.sampling import Decoding
from nucleate.probes.registry import Probe, get_probe
from nucleate.probes.scores.choices import BoxPairs, EndingGains, PairChoices
from nucleate.probes.scores.composite import Composite, Kind
from nucleate.probes.scores.probes import NARRATIVE

LONGEST = 384
"""Most tokens of one text of a pair, for the sake of the cost."""

BEGINNING = 4
"""Sentences of a story that a model goes on from."""

FABLES, SIQA = "bigbench_understanding_fables", "siqa"


def parts(request: SuiteRequest) -> Parts:
    """Return the parts about stories; the primary metric is the narrative coherence score."""
    stories = material(request)
    notes = list(stories.notes)
    found: list[tuple[Probe, Any]] = []
    kinds: list[Kind] = []
    pairs, more = _pairs(stories, request)
    notes += more
    if pairs:
        items = PairItems(pairs, request.tokenizer, context=request.context)
        found.append((get_probe("coherence"), items))
        kinds += _pair_kinds(items)
    for make in (_boxes, _endings):
        part, own, more = make(stories, request)
        notes += more
        found += [part] if part else []
        kinds += own
    for make_part in (_babi, _generation):
        part, more = make_part(stories, request)
        notes += more
        found += [part] if part else []
    missing = sorted(set(GROUPS) - {kind.group for kind in kinds})
    if missing:
        notes.append(f"{NARRATIVE} is not measured: it lacks {', '.join(missing)}")
        stands = {Level.NARRATIVE: f"coherence.{pairs[0].condition}"} if pairs else {}
        return Parts(tuple(found), stands, tuple(notes))
    score = Composite(NARRATIVE, Level.NARRATIVE, kinds)
    found.append((get_probe(NARRATIVE), score))
    return Parts(tuple(found), {Level.NARRATIVE: NARRATIVE}, tuple(notes))


GROUPS = (*CONTEXT_KINDS, "orders", "endings", "boxes")
"""What the score is made of, of equal weight."""


def _pair_kinds(items: PairItems) -> list[Kind]:
    """Return the kinds of the score that pairs make: told from templates and made from stories."""
    places: dict[str, list[int]] = {}
    for place, condition in enumerate(items.conditions):
        places.setdefault(condition, []).append(place)
    group = {name: name for name in CONTEXT_KINDS}
    group |= {f"told_{name}": name for name in CONTEXT_KINDS}
    group |= dict.fromkeys(ORDER_KINDS, "orders")
    return [
        Kind(name, group[name], PairChoices(items, tuple(own)))
        for name, own in places.items()
        if name in group
    ]


def _pairs(
    stories: Material, request: SuiteRequest
) -> tuple[list[ContextPair | MinimalPair], list[str]]:
    made = corrupt(
        stories.prose,
        each=request.items,
        longest=min(request.context - 2, LONGEST),
        seed=request.seed,
        length=stories.tokens,
    )
    notes = list(made.notes)
    told, more = _told(request)
    published, further = _published(request)
    return [*made.contexts, *made.orders, *told, *published], [*notes, *more, *further]


def _told(request: SuiteRequest) -> tuple[list[ContextPair], list[str]]:
    pairs = template_pairs(max(16, request.items // 2), seed=request.seed)
    fits = Fitting(request.tokenizer, request.context).items(pairs)
    kept = [pair for pair, good in zip(pairs, fits, strict=True) if good]
    if 2 * len(kept) < len(pairs):
        return [], ["stories from templates are left out: the tokenizer cannot write them"]
    return kept, []


def _published(request: SuiteRequest) -> tuple[list[MinimalPair], list[str]]:
    rows = _rows(request, "sentence_order/*")
    pairs = published_orders(rows)
    if not pairs:
        return [], ["published_order is not measured: it is not in the data folder"]
    fits = Fitting(request.tokenizer, request.context).items
    names = [""] * len(pairs)
    return some(pairs, names, request.items, request, "published_order", fits)


def _boxes(
    stories: Material, request: SuiteRequest
) -> tuple[tuple[Probe, Any] | None, list[Kind], list[str]]:
    shape = fitting_shape(request.context - 1, stories.tokens)
    probe = Fitting(request.tokenizer, request.context)
    if shape is None or not probe.texts(["Box 1 contains the apple. Move it."])[0]:
        return None, [], ["boxes are not measured: the tokenizer cannot write them in the window"]
    number, operations = shape
    made = box_items(request.items, boxes=number, operations=operations, seed=request.seed)
    told = ", ".join(f"{name} {value:.2f}" for name, value in heuristics(made).items())
    notes = [
        f"boxes: {number} boxes, up to {operations} operations; right by {told}",
        "boxes.horizon: NaN without a margin at distance 0, a lower bound where it never halves",
    ]
    items = BoxItems(made, request.tokenizer, context=request.context)
    kinds = [
        Kind(f"boxes_{'near' if near else 'far'}", "boxes", BoxPairs(items, near))
        for near in (True, False)
    ]
    return (get_probe("boxes"), items), kinds, notes


def _endings(
    stories: Material, request: SuiteRequest
) -> tuple[tuple[Probe, Any] | None, list[Kind], list[str]]:
    fits = fitting(min(request.context - 2, LONGEST), stories.tokens)
    rng = random.Random(f"endings-{request.seed}")
    made = ending_choices(stories.prose, request.items, rng, fits)
    notes = []
    for name, choices in _published_endings(request).items():
        can = Fitting(request.tokenizer, request.context).items
        kept, more = some(choices, [""] * len(choices), request.items, request, name, can)
        notes += more
        made += kept
    if not made:
        return None, [], [*notes, "endings are not measured: there are no stories"]
    items = EndingItems(made, request.tokenizer, context=request.context)
    own = tuple(place for place, choice in enumerate(made) if choice.condition == "story")
    kinds = [Kind("endings", "endings", EndingGains(items, own))] if len(own) >= FEWEST else []
    return (get_probe("endings"), items), kinds, notes


def _published_endings(request: SuiteRequest) -> dict[str, list[Choice]]:
    mc = _rows(request, "mc_benchmarks/mc.jsonl.gz")
    by_task = {name: [row for row in mc if row.get("task") == name] for name in (FABLES, SIQA)}
    found = {
        "story_cloze": story_cloze(_rows(request, "story_cloze/*")),
        "fables": labelled_choices(by_task[FABLES], "fables"),
        "social": labelled_choices(by_task[SIQA], "social"),
    }
    return {name: choices for name, choices in found.items() if choices}


def _babi(stories: Material, request: SuiteRequest) -> tuple[tuple[Probe, Any] | None, list[str]]:
    items = babi_items(_rows(request, "babi/*"))
    if not items:
        return None, ["babi is not measured: it is not in the data folder"]
    can = Fitting(request.tokenizer, request.context).items
    names = [item.task for item in items]

    def fits(some_items: Sequence[BabiItem]) -> list[bool]:
        return can([item.choice for item in some_items])

    kept, notes = some(items, names, 3 * request.items, request, "babi", fits)
    if not kept:
        return None, notes
    notes.append(
        "babi: yes/no and counting questions are answered by the likelier word, see their tasks"
    )
    own = [item.choice for item in kept]
    groups = babi_groups(kept)
    asked = ChoiceItems(
        own,
        request.tokenizer,
        name="babi",
        level=Level.NARRATIVE,
        context=request.context,
        groups=groups,
        normalise=False,
    )
    return (choice_probe(asked), asked), notes


def _generation(
    stories: Material, request: SuiteRequest
) -> tuple[tuple[Probe, Any] | None, list[str]]:
    """Beginnings of stories, a few sentences each, and questions from templates."""
    number = max(8, request.items // 8)
    runs = [run for text in stories.prose for run in text.runs[:1] if len(run) >= 2 * BEGINNING]
    begun = [(" ".join(run[:BEGINNING]), " ".join(run[BEGINNING:])) for run in runs]
    room = request.context // 2
    short = [pair for pair in begun if stories.tokens(pair[0]) <= room][:number]
    if len(short) < 8:
        return None, ["generation is not measured: too few stories have a short beginning"]
    told, _ = _told(request)
    few = told[:: max(1, len(told) // (4 * number))]
    decoding = Decoding(length=min(64, request.context // 3), seed=request.seed)
    items = GenerationItems(
        short, few, request.tokenizer, context=request.context, decoding=decoding
    )
    people = {n: np.array(values)[np.isfinite(values)] for n, values in items.human.items()}
    human = ", ".join(f"{name} {own.mean():.2f}" for name, own in people.items() if len(own))
    notes = [f"generation: {len(short)} continuations, {decoding}; people's own: {human}"]
    return (get_probe("generation"), items), notes


def _rows(request: SuiteRequest, pattern: str) -> list[Row]:
    files = sorted(request.data.glob(pattern)) if request.data else []
    return [row for file in files if file.name.endswith(SUFFIXES) for row in read_rows(file)]
