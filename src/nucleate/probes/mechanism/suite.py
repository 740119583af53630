"""The mechanistic probes of the story world as one suite."""

from __future__ import annotations

from typing import Any

from nucleate.corpora.storyworld import Mixture, Split, World, make_items
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.patching import patch_items
from nucleate.probes.mechanism.story_items import story_head_items
from nucleate.probes.registry import get_probe
from nucleate.probes.suites import Suite


def mechanism_suite(
    world: World,
    mixture: Mixture,
    tokenizer: Any,
    *,
    layers: int,
    heads: int,
    split: Split = Split.CONTROL,
    rows: int = 40,
    context: int = 128,
) -> Suite:
    """Build the suite that says which heads of a model do what.

    Args:
        world: The world that training tells of.
        mixture: The mixture that training tells stories with.
        tokenizer: The word-level tokenizer of the world.
        layers: Layers of the model; only the cost follows from it.
        heads: Heads of each layer; likewise.
        split: Which probe set the stories are from.
        rows: Rows that heads are read on, and pairs that are patched.
        context: Longest row, in tokens.
    """
    shape = {"layers": layers, "heads": heads}
    items = story_head_items(
        world, mixture, tokenizer, split=split, rows=rows, context=context, **shape
    )
    pairs = make_items(world, mixture, split, stories=rows).order
    asked: list[tuple[str, Any]] = [(name, items) for name in ("heads", "ablation", "roles")]
    asked += [
        ("copying", None),
        ("composition", None),
        ("patching", patch_items(pairs, tokenizer, **shape)),
    ]
    return Suite(
        name=f"mechanism ({split})",
        parts=tuple((get_probe(name), what) for name, what in asked),
        primary={},
        notes=(
            "The best of many heads lies above chance by luck alone; the mean of all does not.",
        ),
    )


HEAD_PROBES = ("heads", "ablation", "roles")
"""The probes that `head_suite` asks: what tells which heads have which role."""


def head_suite(items: HeadItems) -> Suite:
    """Return the suite that a run asks of its heads: scores, ablation and roles of some rows."""
    return Suite(
        name="heads",
        parts=tuple((get_probe(name), items) for name in HEAD_PROBES),
        primary={},
    )
