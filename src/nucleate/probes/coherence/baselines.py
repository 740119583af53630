"""What needs no language model: n-grams of a corpus, a guess, and the shortest option.

A small model's accuracy means little beside chance alone; it means something beside these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Reading
from nucleate.corpora.items import MinimalPair
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.tokenizer import begin_token, encode
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.choice import ChoiceItems
from nucleate.probes.plan import Plan
from nucleate.probes.suites import Suite

SAMPLE_TOKENS = 1_000_000
"""Most tokens that n-grams are counted in."""


def sample_ngrams(
    texts: Sequence[str], tokenizer: Any, *, order: int = 3, seed: int = 0
) -> NgramModel:
    """Count n-grams in documents, each after the token that begins a text.

    Args:
        texts: Documents, taken in a seeded order until there are `SAMPLE_TOKENS`.
        order: Longest n-gram, 1 to 3.
    """
    begin, tokens = begin_token(tokenizer), list[int]()
    chosen = random.Random(f"ngram-sample-{seed}").sample(list(texts), len(texts))
    for start in range(0, len(chosen), 64):
        for ids in encode(tokenizer, chosen[start : start + 64]):
            tokens += [begin, *ids]
        if len(tokens) >= SAMPLE_TOKENS:
            break
    return NgramModel(np.array(tokens[:SAMPLE_TOKENS], dtype=np.int64), len(tokenizer), order)


class UniformView:
    """Every token is as likely as any other: of several options the shortest (in tokens) wins.

    Args:
        vocabulary: Number of token types.
    """

    def __init__(self, vocabulary: int) -> None:
        self._log_prob = -float(np.log(vocabulary))

    def answers(self, plan: Plan) -> NDArray[np.float64]:
        """Return the same log-probability (nats) for every token the plan asks for."""
        return np.full(int(plan.offsets[-1]), self._log_prob)

    def greedy(self, plan: Plan) -> NDArray[np.bool_]:
        """Return that no token is the first choice."""
        return np.zeros(int(plan.offsets[-1]), dtype=bool)


class _NotAnsweredError(Exception):
    """A probe asked for more than log-probabilities of tokens."""


class _Once:
    """A view that is asked about each plan once, however many probes share it."""

    def __init__(self, view: Any) -> None:
        self._view, self._known = view, dict[tuple[str, int], tuple[Plan, NDArray[Any]]]()

    def answers(self, plan: Plan) -> NDArray[np.float64]:
        return self._ask("answers", plan)

    def greedy(self, plan: Plan) -> NDArray[np.bool_]:
        return self._ask("greedy", plan)

    def __getattr__(self, name: str) -> Any:
        raise _NotAnsweredError(name)

    def _ask(self, what: str, plan: Plan) -> NDArray[Any]:
        key = (what, id(plan))
        if key not in self._known:
            self._known[key] = (plan, getattr(self._view, what)(plan))
        return self._known[key][1]


def baseline_readings(suite: Suite, view: Any) -> dict[str, Reading]:
    """Measure with a baseline view whatever of a suite it can answer, by metric.

    A part that needs more than log-probabilities of tokens is left out.
    """
    found: dict[str, Reading] = {}
    once = _Once(view)
    for probe, items in suite.parts:
        try:
            readings = list(probe.measure(once, items))
        except _NotAnsweredError:
            continue
        found.update((reading.metric, reading) for reading in readings)
    return found


def accuracy_by_condition(
    pairs: Sequence[MinimalPair], tokenizer: Any, ngrams: NgramModel, context: int
) -> dict[str, float]:
    """Return an n-gram model's accuracy on the minimal pairs of each condition."""
    if not pairs:
        raise DataError("no pairs", where="accuracy_by_condition")
    items = ChoiceItems(pairs, tokenizer, name="pairs", context=context, normalise=False)
    view: Any = NgramView(ngrams)
    readings = baseline_readings(Suite("pairs", ((_choice(), items),), {}), view)
    stem = {name: f"pairs.{name}.accuracy" if name else "pairs.accuracy" for name in items.groups}
    return {name: readings[metric].value for name, metric in stem.items()}


def _choice() -> Any:
    from nucleate.probes.registry import get_probe

    return get_probe("choice")
