"""Coherent against corrupted: identical critical regions, and whole minimal pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.corpora.tokenizer import begin_token, encode
from nucleate.probes.readings import pair_readings
from nucleate.probes.registry import probe
from nucleate.probes.scorer import make_plan, sequence_query
from nucleate.probes.view import ModelView


class PairItems:
    """Pairs tokenised once; a text that stands in several pairs is asked about once.

    A region is tokenised apart from its context, so that its tokens are the same in both.

    Args:
        pairs: Context pairs or minimal pairs.
        tokenizer: Any `transformers` tokenizer with a token to begin (or end) a text.
        joiner: What stands between context and region (``""`` when the region brings its space).
        context: Longest sequence in tokens; contexts are cut from the left, whole texts never.

    Attributes:
        conditions: Of each pair.
        clusters: Number of each pair's document; a pair from nowhere has a number of its own.

    Raises:
        DataError: A text or region is empty, or too long.
    """

    def __init__(
        self,
        pairs: Sequence[ContextPair | MinimalPair],
        tokenizer: Any,
        *,
        joiner: str = " ",
        context: int = 512,
    ) -> None:
        sides = [side for pair in pairs for side in _sides(pair, joiner)]
        befores = encode(tokenizer, [before for before, _ in sides])
        tails = encode(tokenizer, [tail for _, tail in sides])
        begin = begin_token(tokenizer)
        places: dict[tuple[int, tuple[int, ...]], int] = {}
        self._place = np.empty(len(sides), dtype=np.int64)
        for side, (before, tail) in enumerate(zip(befores, tails, strict=True)):
            start, ids = _cut(before, tail, begin, context)
            self._place[side] = places.setdefault((start, ids), len(places))
        self.plan = make_plan([sequence_query(ids, start) for start, ids in places])
        self.conditions = [pair.condition for pair in pairs]
        self.clusters = [
            pair.document if pair.document >= 0 else -1 - number
            for number, pair in enumerate(pairs)
        ]

    def differences(self, view: ModelView) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return log p(first) - log p(second) per pair, shape ``(number of pairs,)``, in nats."""
        if not len(self._place):
            return np.zeros(0)
        sums = np.add.reduceat(view.answers(self.plan), self.plan.offsets[:-1])[self._place]
        result: np.ndarray[Any, np.dtype[np.float64]] = sums[0::2] - sums[1::2]
        return result


def _sides(pair: ContextPair | MinimalPair, joiner: str) -> tuple[tuple[str, str], ...]:
    """Return what comes before and what is asked of both texts; a whole text has no before."""
    if isinstance(pair, ContextPair):
        if not pair.region.strip():
            raise DataError("pair has an empty region", where="PairItems", got=pair.coherent)
        region = joiner + pair.region
        return (pair.coherent, region), (pair.corrupted, region)
    return ("", pair.good), ("", pair.bad)


def _cut(
    before: list[int], tail: list[int], begin: int, context: int
) -> tuple[int, tuple[int, ...]]:
    """Return where the asked tokens begin, and the sequence, at most `context` long."""
    room = context - 1 - len(tail)
    if not tail or room < 0:
        raise DataError(
            "pair cannot be asked: a text or region is empty or longer than the context",
            where="PairItems",
            got=f"{len(tail)} tokens",
            expected=f"1 to {context - 1}",
        )
    kept = before[max(0, len(before) - room) :]
    return 1 + len(kept), (begin, *kept, *tail)


def _cost(items: PairItems) -> int:
    return items.plan.forward_tokens


def by_condition(view: ModelView, items: PairItems, stem: str, level: Level) -> Iterable[Reading]:
    """Yield accuracy and margin of the pairs of each condition."""
    differences, clusters = items.differences(view), np.array(items.clusters)
    conditions = np.array(items.conditions)
    for condition in dict.fromkeys(items.conditions):
        name, own = f"{stem}.{condition}" if condition else stem, conditions == condition
        yield from pair_readings(name, differences[own], level=level, clusters=clusters[own])


@probe(name="coherence", level=Level.NARRATIVE, unit="nats", cost=_cost)
def coherence(view: ModelView, items: PairItems) -> Iterable[Reading]:
    """Is the same ending likelier after the coherent story than after the corrupted one?"""
    yield from by_condition(view, items, "coherence", Level.NARRATIVE)


@probe(name="blimp", level=Level.SYNTAX, unit="nats", cost=_cost)
def blimp(view: ModelView, items: PairItems) -> Iterable[Reading]:
    """Acceptable against unacceptable sentences, whole-sentence log-probabilities.

    Raw sums, as BLiMP scores them (Warstadt et al. 2020).
    """
    yield from by_condition(view, items, "blimp", Level.SYNTAX)
    if items.conditions:
        yield from pair_readings("blimp.all", items.differences(view), level=Level.SYNTAX)
