"""Looks inside a network that learns from texts: its heads, and what else is asked beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.tokenizer import begin_token
from nucleate.probes.inside import inside_parts, lens_cost
from nucleate.probes.mechanism.items import REPEATS, TOKENS, text_head_items
from nucleate.probes.mechanism.suite import head_suite
from nucleate.probes.suites import Suite
from nucleate.probes.text_suite import document_rows

HEAD_ROWS = 40
"""Rows that heads are read on."""


def text_looks(
    texts: Sequence[str],
    tokenizer: Any,
    *,
    layers: int,
    heads: int,
    context: int,
    rows: int = HEAD_ROWS,
) -> Suite:
    """Return what is asked of every head about held-out texts and repeated random strings.

    Args:
        texts: Documents that the model is not trained on.
        tokenizer: The model's tokenizer.
        layers: Layers of the model; only the cost follows from it.
        heads: Heads of each of its layers; likewise.
        context: Longest row, in tokens; 52 or more, for a string that is repeated.
        rows: Rows of texts; ten rows of random strings come on top.
    """
    read, _ = document_rows(texts, tokenizer, rows, context, seed=0)
    words = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    return head_suite(
        text_head_items(
            read.tolist(),
            words,
            begin=begin_token(tokenizer),
            repeats=min(REPEATS, (context - 1) // TOKENS),
            layers=layers,
            heads=heads,
        )
    )


def with_inside(
    looks: Suite,
    names: Sequence[str],
    rows: NDArray[np.int64],
    config: Any,
    context: int,
    classes: Mapping[int, str] | None = None,
    levels: NDArray[np.str_] | None = None,
) -> Suite:
    """Return looks that ask more: representations, routers, the landscape (`inside_parts`).

    Args:
        looks: What is asked of the heads.
        names: What else; the looks stay as they are where there is none.
        rows: Held-out token ids, shape ``(R, T)``.
        config: Config of the model; what the lens costs follows from it.
        context: Length of sequences that a pass is booked at, in tokens.
        classes: See `inside_parts`.
        levels: Likewise.
    """
    if not names:
        return looks
    extra = inside_parts(names, rows, classes, levels, lens_cost(config, context))
    return replace(looks, parts=(*looks.parts, *extra))
