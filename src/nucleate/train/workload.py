"""From a recipe's corpus to what training needs: tokenizer, token stream, probe suite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.corpora.packing import Shards
from nucleate.probes.suites import Suite
from nucleate.train.recipe import Recipe, StoryWorldCorpus, TextCorpus

NGRAM_SAMPLE = 1_000_000
"""Training tokens that the n-gram models are counted on."""
_SHARES = {"all": (0, 1), "control": (0, 3), "development": (1, 3), "sealed": (2, 3)}
"""Which of how many shares of the held-out text a probe set is."""


@dataclass(frozen=True)
class Workload:
    """What a recipe trains on and is measured by.

    Attributes:
        heads: What to ask of every attention head; None when the recipe does not.
        key: Hash of tokenizer and documents: a run may only go on with the same.
        facts: What was counted about the corpus, for the run folder and the report.
        retold: From a mixture and a seed to more stories of the same world; None for other corpora.
    """

    tokenizer: Any
    shards: Shards
    suite: Suite
    heads: Suite | None = None
    key: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)
    retold: Callable[[Any, int], Shards] | None = None


def build_workload(recipe: Recipe, cache: Path | None = None) -> Workload:
    """Read or generate the corpus of a recipe and prepare its probes.

    Args:
        recipe: The recipe.
        cache: Folder for trained tokenizers (none is kept when None).

    Raises:
        DataError: The corpus is missing or malformed.
    """
    corpus = recipe.corpus
    if isinstance(corpus, StoryWorldCorpus):
        return _story_workload(recipe, corpus)
    return _text_workload(recipe, corpus, cache)


def _story_workload(recipe: Recipe, corpus: StoryWorldCorpus) -> Workload:
    from nucleate.corpora.storyworld import StoryShards, make_world, vocabulary
    from nucleate.corpora.storyworld.lexicon import word_classes
    from nucleate.corpora.tokenizer import word_tokenizer
    from nucleate.probes.suites import story_levels, story_suite

    world = make_world(corpus.world)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    ids, eos = tokenizer.get_vocab(), tokenizer.eos_token_id

    def told(mixture: Any, seed: int) -> Shards:
        return StoryShards(world, mixture, ids, eos, seed)

    suite = story_suite(
        world,
        corpus.mixture,
        tokenizer,
        split=corpus.probes,
        stories=recipe.probes.items,
        context=recipe.context,
    )
    return Workload(
        tokenizer=tokenizer,
        shards=told(corpus.mixture, recipe.seed),
        retold=told,
        suite=suite.only(recipe.probes.only),
        heads=_with_inside(
            _story_heads(recipe, corpus, world, tokenizer),
            recipe,
            suite,
            len(tokenizer),
            word_classes(ids),
            story_levels(
                world, corpus.mixture, tokenizer, split=corpus.probes, context=recipe.context
            ),
        ),
        key=_key(tokenizer, str(corpus.world)),
        facts={"corpus": f"story world {corpus.world}", "vocabulary": len(ids)},
    )


def _story_heads(
    recipe: Recipe, corpus: StoryWorldCorpus, world: Any, tokenizer: Any
) -> Suite | None:
    if not recipe.probes.heads_per_decade:
        return None
    from nucleate.probes.looks import HEAD_ROWS
    from nucleate.probes.mechanism.story_items import story_head_items
    from nucleate.probes.mechanism.suite import head_suite

    return head_suite(
        story_head_items(
            world,
            corpus.mixture,
            tokenizer,
            split=corpus.probes,
            rows=HEAD_ROWS,
            context=recipe.context,
            **_shape(recipe),
        )
    )


def _text_heads(
    recipe: Recipe, corpus: TextCorpus, held_out: Sequence[str], tokenizer: Any
) -> Suite | None:
    if not recipe.probes.heads_per_decade:
        return None
    from nucleate.corpora.text import share_of
    from nucleate.probes.looks import text_looks

    own = share_of(held_out, *_SHARES[corpus.probes])
    return text_looks(own, tokenizer, context=recipe.context, **_shape(recipe))


def _with_inside(
    heads: Suite | None,
    recipe: Recipe,
    suite: Suite,
    vocabulary: int,
    classes: Mapping[int, str] | None = None,
    levels: Any = None,
) -> Suite | None:
    """Return the suite of looks with what else is asked inside, on the rows of held-out loss."""
    if heads is None:
        return None
    from nucleate.models.builder import make_config
    from nucleate.probes.looks import with_inside

    rows = next(items.rows for probe, items in suite.parts if probe.name == "loss")
    config = make_config(recipe.model, vocabulary)
    return with_inside(heads, recipe.probes.inside, rows, config, recipe.context, classes, levels)


def _shape(recipe: Recipe) -> dict[str, int]:
    model = recipe.model.resolved()
    return {"layers": model.layers or 0, "heads": model.heads or 0}


def _text_workload(recipe: Recipe, corpus: TextCorpus, cache: Path | None) -> Workload:
    import numpy as np

    from nucleate.corpora.packing import DocumentShards
    from nucleate.corpora.text import read_documents
    from nucleate.corpora.tokenizer import bpe_tokenizer
    from nucleate.probes.text_suite import text_suite

    documents = read_documents(
        corpus.paths, field=corpus.field, held_out_share=corpus.held_out_share
    )
    tokenizer = bpe_tokenizer(
        documents.train, vocab_size=corpus.vocab_size, cache=cache, key=documents.key
    )
    encoded = tokenizer(list(documents.train), add_special_tokens=False)["input_ids"]
    shards = DocumentShards(
        [np.array(ids, dtype=np.int64) for ids in encoded], tokenizer.eos_token_id, recipe.seed
    )
    suite = text_suite(
        documents,
        tokenizer,
        training_sample=shards.shard(0)[:NGRAM_SAMPLE],
        items=recipe.probes.items,
        context=recipe.context,
        blimp=_blimp_folder(corpus.blimp),
        share=_SHARES[corpus.probes],
    )
    return Workload(
        tokenizer=tokenizer,
        shards=shards,
        suite=suite.only(recipe.probes.only),
        heads=_with_inside(
            _text_heads(recipe, corpus, documents.held_out, tokenizer),
            recipe,
            suite,
            len(tokenizer),
        ),
        key=_key(tokenizer, documents.key),
        facts={
            "corpus": ", ".join(Path(path).name for path in corpus.paths),
            "documents": len(documents.train),
            "held-out documents": len(documents.held_out),
            "tokens per epoch": shards.tokens_per_epoch,
            "vocabulary": len(tokenizer),
        },
    )


def _blimp_folder(wish: str) -> Path | None:
    from nucleate.corpora.blimp import find_blimp

    if wish == "auto":
        return find_blimp()
    return None if wish == "none" else Path(wish)


def _key(tokenizer: Any, documents: str) -> str:
    content = tokenizer.backend_tokenizer.to_str() + documents
    return hashlib.sha256(content.encode()).hexdigest()[:16]
