"""Suites: named sets of probes with their items and what one measurement costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, RecipeError, UserError
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.storyworld import (
    Mixture,
    Split,
    StoryItems,
    StoryShards,
    World,
    make_items,
)
from nucleate.probes.behaviour.alignment import AlignmentItems, held_out_rows
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.behaviour.position import PositionItems
from nucleate.probes.behaviour.slots import SlotItems
from nucleate.probes.registry import Probe, get_probe


@dataclass(frozen=True)
class Suite:
    """Probes with their items, tokenised for one tokenizer.

    Attributes:
        name: For people.
        parts: Each probe with what it asks; probes with the same items share one pass.
        primary: The metric stem (name without its measure) that stands for each level, chosen
            before anything is measured.
        notes: What a reader of the results should know of the items, one sentence each.
    """

    name: str
    parts: tuple[tuple[Probe, Any], ...]
    primary: Mapping[Level, str]
    notes: tuple[str, ...] = ()

    @property
    def forward_tokens(self) -> int:
        """Tokens that one measurement of the whole suite sends through the model.

        Probes of the same items share their passes: the dearest of them is what they cost.
        """
        shared: dict[int, int] = {}
        for probe, items in self.parts:
            shared[id(items)] = max(probe.cost(items), shared.get(id(items), 0))
        return sum(shared.values())

    def only(self, names: Sequence[str]) -> Suite:
        """Return the part of the suite that some probes make up; all of it without names.

        Raises:
            RecipeError: The suite has no probe of a name.
        """
        there = list(dict.fromkeys(probe.name for probe, _ in self.parts))
        for name in names:
            if name not in there:
                raise RecipeError(
                    "no such probe in this suite",
                    where="probes.only",
                    got=name,
                    expected=", ".join(there),
                )
        if not names:
            return self
        return replace(self, parts=tuple(part for part in self.parts if part[0].name in names))


STORY_PRIMARY = {
    Level.COOCCURRENCE: "ngram.bigram",
    Level.SYNTAX: "agreement.attractor",
    Level.SEMANTICS: "cause.all",
    Level.NARRATIVE: "state.holder",
    Level.KNOWLEDGE: "fact.rare",
}
_NGRAM_SHARDS = 24
_HELD_OUT_SHARD = {Split.DEVELOPMENT: 1, Split.SEALED: 2}
"""Shards after those counted, so that each probe set has held-out rows of its own."""
_HELD_OUT_SEED = 1_000_003


def story_suite(
    world: World,
    mixture: Mixture,
    tokenizer: Any,
    *,
    split: Split = Split.CONTROL,
    stories: int = 160,
    context: int = 128,
    rows: int = 24,
) -> Suite:
    """Build the suite of the story world.

    Args:
        world: The world that training tells of.
        mixture: The mixture that training tells stories with.
        tokenizer: The word-level tokenizer of the world.
        split: Which probe set to ask.
        stories: Number of stories to ask about; the other items follow from it.
        context: Length of the rows for n-gram alignment and loss, in tokens.
        rows: Number of those rows.
    """
    items = make_items(world, mixture, split, stories=stories)
    sample = _told_apart(world, mixture, tokenizer)
    corpus = np.concatenate([sample.shard(i) for i in range(_NGRAM_SHARDS)])
    held_out = story_rows(world, mixture, tokenizer, split=split, context=context, rows=rows)
    return Suite(
        name=f"story world ({split})",
        parts=_story_parts(
            items, held_out, NgramModel(corpus, len(tokenizer.get_vocab())), tokenizer
        ),
        primary=STORY_PRIMARY,
    )


def story_rows(
    world: World,
    mixture: Mixture,
    tokenizer: Any,
    *,
    split: Split = Split.CONTROL,
    context: int = 128,
    rows: int = 24,
) -> Any:
    """Return rows of stories that no training sees, shape ``(rows, context)``: those of the loss.

    Args:
        world: The world.
        mixture: The mixture of its stories.
        tokenizer: The word-level tokenizer of the world.
        split: Each probe set has rows of its own.
        context: Length of a row, in tokens.
        rows: How many.
    """
    sample = _told_apart(world, mixture, tokenizer)
    return held_out_rows(sample.shard(_held_out_shard(split)), rows, context)


LEVEL_OF_SLOT = {
    "agreement": Level.SYNTAX,
    "cause": Level.SEMANTICS,
    "where": Level.NARRATIVE,
    "holder": Level.NARRATIVE,
    "ending": Level.NARRATIVE,
    "fact": Level.KNOWLEDGE,
    "song": Level.LONG_CONTEXT,
}
"""The level whose probes ask for the word of a slot."""


def story_levels(
    world: World,
    mixture: Mixture,
    tokenizer: Any,
    *,
    split: Split = Split.CONTROL,
    context: int = 128,
    rows: int = 24,
) -> NDArray[np.str_]:
    """Return the level that decides the word after each position of `story_rows`; empty for none.

    Arguments are those of `story_rows`, and so is the shape.
    """
    kinds = _told_apart(world, mixture, tokenizer).kinds(_held_out_shard(split))
    after = [str(LEVEL_OF_SLOT.get(kind, "")) for kind in [*kinds[1:].tolist(), ""]]
    rows = min(rows, len(after) // context)
    return np.array(after[: rows * context]).reshape(rows, context)


def _held_out_shard(split: Split) -> int:
    return _NGRAM_SHARDS + _HELD_OUT_SHARD.get(split, 0)


def _told_apart(world: World, mixture: Mixture, tokenizer: Any) -> StoryShards:
    ids, eos = tokenizer.get_vocab(), tokenizer.eos_token_id
    if eos is None:
        raise UserError(
            "the tokenizer has no token that ends a text",
            expected="eos_token in tokenizer_config.json",
            fix="copy the tokenizer again",
        )
    return StoryShards(world, mixture, ids, eos, seed=_HELD_OUT_SEED)


def _story_parts(
    items: StoryItems, held_out: Any, ngrams: NgramModel, tokenizer: Any
) -> tuple[tuple[Probe, Any], ...]:
    plots = SlotItems(items.plots, tokenizer, ("cause", "song"))
    states = SlotItems(items.states, tokenizer, ("where", "holder", "ending"))
    asked: Sequence[tuple[str, Any]] = (
        ("ngram", AlignmentItems(held_out, ngrams)),
        ("loss", PositionItems(held_out)),
        ("agreement", SlotItems(items.agreement, tokenizer)),
        ("cause", plots),
        ("refrain", plots),
        ("state", states),
        ("ending", states),
        ("coherence", PairItems((*items.order, *items.contradiction), tokenizer)),
        ("fact", SlotItems(items.facts, tokenizer)),
    )
    return tuple((get_probe(name), what) for name, what in asked)
