"""Coherent against corrupted: identical critical regions, and whole minimal pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nucleate.core import Level, Reading
from nucleate.corpora.items import ContextPair, MinimalPair
from nucleate.probes.readings import pair_readings
from nucleate.probes.registry import probe
from nucleate.probes.scorer import make_plan, sequence_query
from nucleate.probes.view import ModelView


class PairItems:
    """Pairs tokenised once.

    A region is tokenised apart from its context, so that its tokens are the same in both.

    Args:
        pairs: Context pairs or minimal pairs.
        tokenizer: Any `transformers` tokenizer with a beginning-of-text token.
        joiner: What stands between context and region (``""`` when the region brings its space).
        context: Longest sequence in tokens; contexts are cut from the left.
    """

    def __init__(
        self,
        pairs: Sequence[ContextPair] | Sequence[MinimalPair],
        tokenizer: Any,
        *,
        joiner: str = " ",
        context: int = 512,
    ) -> None:
        bos = tokenizer.bos_token_id
        sides, regions = [], []
        for pair in pairs:
            if isinstance(pair, ContextPair):
                texts, region = (pair.coherent, pair.corrupted), joiner + pair.region
            else:
                texts, region = (pair.good, pair.bad), ""
            for text in texts:
                sides.append(text)
                regions.append(region)
        befores = _encode(tokenizer, sides)
        tails = _encode(tokenizer, regions)
        queries = []
        for before, tail in zip(befores, tails, strict=True):
            start = 1 if not tail else len(before[-(context - 1 - len(tail)) :]) + 1
            ids = [bos, *before[-(context - 1 - len(tail)) :], *tail]
            queries.append(sequence_query(ids, start))
        self.conditions = [pair.condition for pair in pairs]
        self.plan = make_plan(queries)

    def differences(self, view: ModelView) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return log p(first) - log p(second) per pair, shape ``(number of pairs,)``, in nats."""
        sums = np.add.reduceat(view.answers(self.plan), self.plan.offsets[:-1])
        result: np.ndarray[Any, np.dtype[np.float64]] = sums[0::2] - sums[1::2]
        return result


def _encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    encoded: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return encoded


def _cost(items: PairItems) -> int:
    return items.plan.forward_tokens


def _by_condition(view: ModelView, items: PairItems, stem: str, level: Level) -> Iterable[Reading]:
    differences = items.differences(view)
    conditions = np.array(items.conditions)
    for condition in dict.fromkeys(items.conditions):
        name = f"{stem}.{condition}" if condition else stem
        yield from pair_readings(name, differences[conditions == condition], level=level)


@probe(name="coherence", level=Level.NARRATIVE, unit="nats", cost=_cost)
def coherence(view: ModelView, items: PairItems) -> Iterable[Reading]:
    """Is the same ending likelier after the coherent story than after the corrupted one?"""
    yield from _by_condition(view, items, "coherence", Level.NARRATIVE)


@probe(name="blimp", level=Level.SYNTAX, unit="nats", cost=_cost)
def blimp(view: ModelView, items: PairItems) -> Iterable[Reading]:
    """Acceptable against unacceptable sentences, whole-sentence log-probabilities.

    Raw sums, as BLiMP scores them (Warstadt et al. 2020).
    """
    yield from _by_condition(view, items, "blimp", Level.SYNTAX)
    yield from pair_readings("blimp.all", items.differences(view), level=Level.SYNTAX)
