"""Build the suite of a scan: tokenised once, for every checkpoint of the series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.core import DataError, UserError
from nucleate.corpora.itemsets import ItemSet
from nucleate.observe.scanning.settings import ITEMS, ScanSettings
from nucleate.probes.suites import Suite

if TYPE_CHECKING:
    from nucleate.corpora.storyworld import Mixture, Split, World
    from nucleate.models.series import Series

CONTEXT = 512
"""Longest sequence asked about where nothing is said, in tokens."""

CONTEXT_OF_SETS = 2048
"""The same for item sets: what lm-eval takes where a model does not say."""

MOST_SAMPLE = 1_000_000
"""Tokens that n-grams are counted in."""

TEXTS_GO_WITH = ("text", "coherence", "mechanism", "landscape")
"""Suites that take texts."""


def build_suite(
    settings: ScanSettings,
    series: Series,
    tokenizer: Any,
    longest: int,
    sets: Sequence[ItemSet] = (),
    shape: tuple[int, int, int] = (3, 4, 0),
    lens_cost: float = 0.0,
) -> Suite:
    """Build the suite that a scan asks.

    Args:
        settings: Which one, and how much of it.
        series: Whose checkpoints are asked.
        tokenizer: Their tokenizer.
        longest: Longest sequence that they read, in tokens.
        sets: What the suite ``sets`` asks.
        shape: Layers, heads and experts of each, of the models: what ``mechanism`` costs, and
            whether it asks routers.
        lens_cost: See `probes.inside.lens_cost`.

    Raises:
        UserError: Settings that do not go together, or data that is missing.
    """
    _refuse_what_does_not_fit(settings, sets)
    if settings.suite == "sets":
        from nucleate.probes.item_suite import item_suite

        few = [replace(one, items=one.items[: settings.items]) for one in sets]
        return item_suite(few, tokenizer, context=min(settings.context or CONTEXT_OF_SETS, longest))
    context = min(settings.context or CONTEXT, longest)
    items = settings.items or ITEMS[settings.suite]
    if settings.suite == "story":
        return _story(series, tokenizer, items, min(context, 128))
    if settings.texts and settings.suite in ("mechanism", "landscape"):
        return _inside_of_texts(settings, tokenizer, items, min(context, 128), shape, lens_cost)
    if settings.suite == "mechanism":
        return _mechanism(series, tokenizer, items, min(context, 128), shape, lens_cost)
    if settings.suite == "landscape":
        return _landscape(series, tokenizer, items, min(context, 128))
    if settings.suite == "text":
        return _text(settings, tokenizer, items, context)
    from nucleate.probes.coherence import coherence_suite

    return coherence_suite(
        tokenizer,
        data=Path(settings.data) if settings.data else None,
        items=items,
        context=context,
        levels=settings.levels or None,
        seed=settings.seed,
        sample=_documents(settings),
    )


def _refuse_what_does_not_fit(settings: ScanSettings, sets: Sequence[ItemSet]) -> None:
    if bool(sets) != (settings.suite == "sets"):
        raise UserError(
            "item sets and the suite 'sets' go together",
            got=f"{len(sets)} item sets and the suite {settings.suite!r}",
        )
    if settings.texts and settings.suite not in TEXTS_GO_WITH:
        raise UserError(
            "--text goes with --suite text, coherence, mechanism or landscape", got=settings.suite
        )
    if settings.data and not Path(settings.data).is_dir():
        raise UserError("no such folder", where=f"--data {settings.data}", fix="check the path")
    if settings.data and settings.suite != "coherence":
        raise UserError("--data goes with --suite coherence", got=settings.suite)
    if settings.levels and settings.suite != "coherence":
        raise UserError("--levels goes with --suite coherence", got=settings.suite)


def _documents(settings: ScanSettings) -> tuple[str, ...]:
    """Return all documents of the texts: nobody is asked about them, so none is held out."""
    from nucleate.corpora.text import read_documents

    if not settings.texts:
        return ()
    documents = read_documents(settings.texts, held_out_share=0.5)
    return (*documents.train, *documents.held_out)


def choose_suite(
    settings: ScanSettings, series: Series, sets: Sequence[ItemSet] = ()
) -> ScanSettings:
    """Return the settings with ``auto`` replaced by the suite that fits the series."""
    from nucleate.store import Run

    if settings.suite == "auto" and sets:
        return settings.model_copy(update={"suite": "sets"})
    if settings.suite != "auto":
        return settings
    corpus: dict[str, Any] = {}
    if series.run is not None:
        corpus = dict(Run.open(series.run).manifest.recipe.get("corpus") or {})
    story = corpus.get("kind") == "story_world"
    chosen = "text" if settings.texts else "story" if story else "coherence"
    return settings.model_copy(update={"suite": chosen})


def _text(settings: ScanSettings, tokenizer: Any, items: int, context: int) -> Suite:
    import numpy as np

    from nucleate.corpora.blimp import find_blimp
    from nucleate.corpora.text import read_documents
    from nucleate.corpora.tokenizer import begin_token, encode
    from nucleate.probes.text_suite import text_suite

    if not settings.texts:
        raise UserError(
            "--suite text needs texts that the models were not trained on", fix="add --text FILE"
        )
    # One half stands for the corpus in the n-gram models, the other half is asked about.
    documents = read_documents(settings.texts, held_out_share=0.5)
    end, sample = begin_token(tokenizer), list[int]()
    for ids in encode(tokenizer, documents.train):
        sample += [*ids, end]
        if len(sample) > MOST_SAMPLE:
            break
    return text_suite(
        documents,
        tokenizer,
        training_sample=np.array(sample, dtype=np.int64),
        items=items,
        context=context,
        blimp=find_blimp(),
        seed=settings.seed,
    )


def _mechanism(
    series: Series,
    tokenizer: Any,
    rows: int,
    context: int,
    shape: tuple[int, int, int],
    lens_cost: float,
) -> Suite:
    """Ask heads, representations and routers about the story world that the run was trained on."""
    from nucleate.corpora.storyworld.lexicon import word_classes
    from nucleate.probes.inside import inside_parts
    from nucleate.probes.mechanism.story_items import story_head_items
    from nucleate.probes.mechanism.suite import head_suite
    from nucleate.probes.suites import story_levels, story_rows

    world, mixture, split = _told(series, tokenizer, "mechanism")
    rows_RT = story_rows(world, mixture, tokenizer, split=split, context=context)
    levels_RT = story_levels(world, mixture, tokenizer, split=split, context=context)
    layers, own, experts = shape
    heads = story_head_items(
        world,
        mixture,
        tokenizer,
        split=split,
        rows=rows,
        context=context,
        layers=layers,
        heads=own,
    )
    suite = head_suite(heads)
    asked = ("geometry", "lens", "routers") if experts else ("geometry", "lens")
    extra = inside_parts(asked, rows_RT, word_classes(tokenizer.get_vocab()), levels_RT, lens_cost)
    return replace(suite, name="mechanism", parts=(*suite.parts, *extra))


def _landscape(series: Series, tokenizer: Any, rows: int, context: int) -> Suite:
    """Ask the loss around the weights, on the story world that the run was trained on."""
    from nucleate.probes.inside import LANDSCAPE, inside_parts
    from nucleate.probes.suites import story_rows

    world, mixture, split = _told(series, tokenizer, "landscape")
    rows_RT = story_rows(
        world, mixture, tokenizer, split=split, context=context, rows=max(rows, 16)
    )
    return Suite("landscape", inside_parts(LANDSCAPE, rows_RT), primary={})


def _inside_of_texts(
    settings: ScanSettings,
    tokenizer: Any,
    rows: int,
    context: int,
    shape: tuple[int, int, int],
    lens_cost: float,
) -> Suite:
    """Ask heads, representations and routers, or the landscape, about held-out texts."""
    from nucleate.probes.inside import LANDSCAPE, inside_parts
    from nucleate.probes.looks import text_looks
    from nucleate.probes.text_suite import document_rows

    documents = _documents(settings)
    rows_RT, notes = document_rows(documents, tokenizer, max(rows, 16), context, settings.seed)
    if settings.suite == "landscape":
        return Suite("landscape", inside_parts(LANDSCAPE, rows_RT), primary={}, notes=tuple(notes))
    layers, own, experts = shape
    looks = text_looks(
        documents, tokenizer, layers=layers, heads=own, context=context, rows=max(rows, 16)
    )
    asked = ("geometry", "lens", "routers") if experts else ("geometry", "lens")
    extra = inside_parts(asked, rows_RT, lens_cost=lens_cost)
    return replace(
        looks, name="mechanism", parts=(*looks.parts, *extra), notes=(*looks.notes, *notes)
    )


def _story(series: Series, tokenizer: Any, items: int, context: int) -> Suite:
    """Ask about the story world that the run was trained on."""
    from nucleate.probes.suites import story_suite

    world, mixture, split = _told(series, tokenizer, "story")
    return story_suite(world, mixture, tokenizer, split=split, stories=items, context=context)


def _told(series: Series, tokenizer: Any, suite: str) -> tuple[World, Mixture, Split]:
    """Return the story world that a run was trained on; its words must be the tokenizer's tokens.

    Raises:
        DataError: They are not.
    """
    from nucleate.core.settings import validate
    from nucleate.corpora.storyworld import Mixture, Split, make_world, vocabulary
    from nucleate.store import Run

    corpus: dict[str, Any] = {}
    if series.run is not None:
        corpus = dict(Run.open(series.run).manifest.recipe.get("corpus") or {})
    world = make_world(corpus.get("world", 0))
    known = tokenizer.get_vocab()
    unknown = next((word for word in vocabulary(world.towns) if word not in known), None)
    if unknown is not None:
        raise DataError(
            f"--suite {suite} is for models of the story world: a word is no token",
            where=series.source,
            got=unknown,
            fix="use --suite coherence" if suite == "story" else "add held-out texts: --text FILE",
        )
    mixture = validate(Mixture, dict(corpus.get("mixture") or {}), where=str(series.run))
    return world, mixture, Split(corpus.get("probes", Split.CONTROL))
