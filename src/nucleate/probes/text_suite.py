"""The suite for any text corpus: what can be asked of held-out documents without annotation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level
from nucleate.corpora.blimp import read_blimp
from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.packing import Tokens
from nucleate.corpora.pairs import make_text_pairs
from nucleate.corpora.text import Documents, share_of
from nucleate.corpora.tokenizer import begin_token, encode
from nucleate.detect.runs.resolution import binomial_stderr
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.alignment import AlignmentItems
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.behaviour.position import PositionItems
from nucleate.probes.registry import Probe, get_probe
from nucleate.probes.suites import Suite

MOST_SAMPLE = 1_000_000
"""Training tokens that n-grams are counted in."""

LONGEST_PAIR = 128
"""Most tokens of one text of a pair, for the sake of the cost."""

SHORTEST_ROW = 32
"""Rows for loss by position are not cut shorter, in tokens."""


def text_suite(
    documents: Documents,
    tokenizer: Any,
    *,
    training_sample: Tokens,
    items: int = 160,
    context: int = 256,
    blimp: str | Path | None = None,
    seed: int = 0,
    share: tuple[int, int] = (0, 1),
) -> Suite:
    """Build the suite of a text corpus; its notes say what is missing and what n-grams score.

    Cooccurrence is the distance to n-grams of the corpus; syntax is BLiMP where it is present. Long
    context is measured (loss by position, in-context-learning score) but stands on no ladder: its
    score has no ceiling. Narrative is the order of blocks of sentences. The
    entity swap is the stricter test (identical region, no help from recency or frequency), but a
    trained model of 260,000 weights scores 0.59 on it, 0.77 on block order and 0.82 on sentence
    order of TinyStories, a trigram model 0.50, 0.54 and 0.58 (300 pairs, SE 0.02 to 0.03): with the
    few pairs a suite can afford only the latter two would show anything.

    Args:
        documents: Only the held-out ones are read.
        tokenizer: The tokenizer of the models to be measured.
        training_sample: Tokens of the training corpus, shape ``(n,)``; the first `MOST_SAMPLE`
            are counted.
        items: Dial of every number of items and so of the cost (40,000 to 60,000 forward tokens
            at 160 and context 256, by the length of sentences).
        context: Longest sequence, in tokens; at least 64.
        blimp: Folder for `read_blimp`, e.g. the one that `find_blimp` finds; None leaves the
            syntax level out.
        seed: Seed of every choice.
        share: Which of how many disjoint shares of held-out documents and BLiMP pairs to ask, such
            as ``(2, 3)`` for the last third.

    Raises:
        DataError: The arguments are out of range, held-out text is too short for one row, or the
            BLiMP folder cannot be read.
    """
    if items < 16 or context < 2 * SHORTEST_ROW:
        raise DataError(
            "suite is too small",
            where="text_suite",
            got=f"items {items}, context {context}",
            expected=f"items ≥ 16, context ≥ {2 * SHORTEST_ROW}",
        )
    held_out = share_of(documents.held_out, *share)
    sample = np.asarray(training_sample[:MOST_SAMPLE], dtype=np.int64)
    ngrams = NgramModel(sample, len(tokenizer))
    rows, notes = document_rows(held_out, tokenizer, max(8, items // 4), context, seed)
    few = rows[: max(4, items // 13)]
    parts: list[tuple[Probe, Any]] = [
        (get_probe("ngram"), AlignmentItems(few, ngrams)),
        (get_probe("loss"), PositionItems(rows)),
    ]
    primary = {Level.COOCCURRENCE: "ngram.bigram"}
    pairs, more = _coherence_pairs(held_out, tokenizer, items, context, seed)
    notes += more
    if pairs:
        parts.append((get_probe("coherence"), PairItems(pairs, tokenizer, context=context)))
        present = {pair.condition for pair in pairs}
        best = next(kind for kind in _NARRATIVE if kind in present)
        primary[Level.NARRATIVE] = f"coherence.{best}"
    if blimp is None:
        notes.append("syntax is not measured: there is no folder of BLiMP pairs")
    else:
        sentences, more = _blimp_pairs(blimp, tokenizer, items, context, seed, share)
        notes += more
        parts.append((get_probe("blimp"), PairItems(sentences, tokenizer, context=context)))
        primary[Level.SYNTAX] = "blimp.all"
    notes += _baselines(parts, ngrams)
    return Suite(name="text", parts=tuple(parts), primary=primary, notes=tuple(notes))


_NARRATIVE = ("block_order", "sentence_order", "entity_swap", "other_document")
"""Kinds of pairs in the order in which they may stand for the level."""


def document_rows(
    texts: Sequence[str], tokenizer: Any, number: int, context: int, seed: int
) -> tuple[NDArray[np.int64], list[str]]:
    """Cut rows from the beginnings of documents, each after the token that begins a text.

    Where too few documents are `context` long, shorter rows are cut from more documents: late
    positions must see the same document as early ones, or there is no context to use.
    """
    rng = random.Random(f"text-rows-{seed}")
    chosen = rng.sample(list(texts), min(len(texts), 20 * number))
    encoded = encode(tokenizer, chosen)
    begin, size = begin_token(tokenizer), context
    enough = min(number, max(1, len(encoded) // 2))
    while size > SHORTEST_ROW and sum(len(ids) >= size - 1 for ids in encoded) < enough:
        size = max(SHORTEST_ROW, size * 3 // 4)
    whole = [[begin, *ids[: size - 1]] for ids in encoded if len(ids) >= size - 1][:number]
    if not whole:
        raise DataError(
            "held-out documents are too short",
            got=f"at most {max(map(len, encoded), default=0)} tokens",
            expected=f"{SHORTEST_ROW} tokens or more",
        )
    notes = []
    if size < context:
        notes.append(f"loss by position: rows of {size} tokens, documents end before {context}")
    if len(whole) < number:
        notes.append(f"loss by position: {len(whole)} of {number} rows could be cut")
    return np.array(whole, dtype=np.int64), notes


def _coherence_pairs(
    texts: Sequence[str], tokenizer: Any, items: int, context: int, seed: int
) -> tuple[list[ContextPair | MinimalPair], list[str]]:
    def length(text: str) -> int:
        return len(encode(tokenizer, [text])[0])

    made = make_text_pairs(
        texts,
        orders=items * 3 // 10,
        swaps=items * 3 // 8,
        others=items // 8,
        longest=min(context - 1, LONGEST_PAIR),
        seed=seed,
        length=length,
    )
    orders = (*made.sentence_order, *made.block_order)
    # Sentences were measured one by one; the text that they make can be a token or two longer.
    lengths = [max(map(len, encode(tokenizer, [pair.good, pair.bad]))) for pair in orders]
    fitting = [pair for pair, size in zip(orders, lengths, strict=True) if size < context]
    notes = list(made.notes)
    if left_out := len(orders) - len(fitting):
        notes.append(f"order of sentences: {left_out} pairs are longer than the context")
    return [*fitting, *made.entity_swap, *made.other_document], notes


def _blimp_pairs(
    folder: str | Path,
    tokenizer: Any,
    items: int,
    context: int,
    seed: int,
    share: tuple[int, int],
) -> tuple[list[MinimalPair], list[str]]:
    """Take as many pairs of each paradigm as make about as many as `items`."""
    paradigms = len(read_blimp(folder, per_paradigm=1))
    each = share[1] * max(1, round(items / paradigms))
    chosen = read_blimp(folder, per_paradigm=each, seed=seed, by="field")
    own = set(share_of((pair.good for pair in chosen), *share))
    chosen = [pair for pair in chosen if pair.good in own]
    lengths = [max(map(len, encode(tokenizer, [pair.good, pair.bad]))) for pair in chosen]
    fitting = [pair for pair, size in zip(chosen, lengths, strict=True) if size < context]
    left_out = len(chosen) - len(fitting)
    if not fitting:
        raise DataError("no pair fits the context", where=folder, got=f"context {context}")
    return fitting, [f"blimp: {left_out} pairs are longer than the context"] if left_out else []


def _baselines(parts: Sequence[tuple[Probe, Any]], ngrams: NgramModel) -> list[str]:
    """Say what a trigram model of the corpus scores on each kind of pair."""
    view, notes = NgramView(ngrams), []
    for probe, items in parts:
        for reading in probe.measure(view, items) if isinstance(items, PairItems) else ():
            wanted = reading.metric == "blimp.all.accuracy" or probe.name == "coherence"
            if wanted and reading.metric.endswith("accuracy"):
                se = reading.se or float(binomial_stderr(reading.value, reading.n))
                score = f"{reading.value:.2f} ± {se:.2f}"
                notes.append(f"a trigram model of the corpus scores {score} on {reading.metric}")
    return notes
