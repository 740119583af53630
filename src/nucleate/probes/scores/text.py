"""How coherent a text is in the eyes of a model: what its sentences gain from those before them.

Definition and alternatives: docs/scores.md.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError
from nucleate.corpora.tokenizer import encode
from nucleate.probes.requests import Requests

Floats = NDArray[np.float64]

ORDERS = 4
"""Permutations that a text is compared with."""


@dataclass(frozen=True)
class TextScores:
    """Scores of texts, in nats per token.

    Attributes:
        coherence: Mean gain of the sentences from the second on, shape ``(texts,)``: the score.
        order: log p of the text minus the mean over permutations of its sentences, same shape.
        least: Gain of the sentence that gains least, same shape.
        fluency: Mean log p, same shape.
        gains: Gain of every sentence from the second on, of each text; NaN where it has none.
    """

    coherence: Floats
    order: Floats
    least: Floats
    fluency: Floats
    gains: tuple[Floats, ...]

    def halves(self) -> tuple[Floats, Floats]:
        """Return the coherence by every other sentence; NaN where a half has none."""
        return tuple(  # type: ignore[return-value]
            np.array([_mean(own[start::2]) for own in self.gains]) for start in (0, 1)
        )


class TextItems:
    """Texts in sentences, tokenised once.

    Args:
        texts: Each of two sentences or more.
        tokenizer: Any `transformers` tokenizer.
        context: Tokens that the model may see at once; what comes before is cut from the left, and
            a longer sentence has no gain.
        seed: Seed of the permutations.

    Raises:
        DataError: A text has fewer than two sentences.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        tokenizer: Any,
        *,
        context: int,
        seed: int = 0,
    ) -> None:
        short = [number for number, text in enumerate(texts) if len(text) < 2]
        if short:
            raise DataError("text has fewer than two sentences", where="TextItems", got=short[0])
        every = [sentence for text in texts for sentence in text]
        sizes = map(len, encode(tokenizer, [f" {sentence}" for sentence in every]))
        # A sentence that is longer than the window cannot be asked about; it stays as context.
        fits = dict(zip(every, (size < context for size in sizes), strict=True))
        orders = [order for n, text in enumerate(texts) for order in _orders(text, seed, n)]
        self._told = _Sentences(texts, fits, tokenizer, context)
        self._bare = _Sentences(texts, fits, tokenizer, context, alone=True)
        self._shuffled = _Sentences(orders, fits, tokenizer, context)

    @property
    def cost(self) -> int:
        """Tokens that one pass sends through the model."""
        return sum(part.requests.cost for part in (self._told, self._bare, self._shuffled))

    def score(self, view: Any) -> TextScores:
        """Ask a model, or whatever answers plans."""
        told, tokens = self._told.score(view)
        bare, _ = self._bare.score(view)
        permuted, _ = self._shuffled.score(view)
        gains = tuple(
            ((with_it - without) / size)[1:]
            for with_it, without, size in zip(told, bare, tokens, strict=True)
        )
        length = np.array([np.nansum(size) for size in tokens])
        whole = np.array([np.nansum(own) for own in told])
        other = np.array([np.nansum(own) for own in permuted]).reshape(-1, ORDERS).mean(1)
        return TextScores(
            coherence=np.array([_mean(own) for own in gains]),
            order=(whole - other) / length,
            least=np.array([own[np.isfinite(own)].min(initial=np.inf) for own in gains]),
            fluency=whole / length,
            gains=gains,
        )


class _Sentences:
    """Sentences after those before them, or alone; NaN for those that do not fit."""

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        fits: dict[str, bool],
        tokenizer: Any,
        context: int,
        *,
        alone: bool = False,
    ) -> None:
        asked = [
            ("", text[i]) if alone or not i else (" ".join(text[:i]), f" {text[i]}")
            for text in texts
            for i in range(len(text))
            if fits[text[i]]
        ]
        self.requests = Requests(asked, tokenizer, context=context)
        self._fits = np.array([fits[sentence] for text in texts for sentence in text])
        self._ends = np.cumsum([len(text) for text in texts])[:-1]

    def score(self, view: Any) -> tuple[list[Floats], list[Floats]]:
        """Return log-probability and number of tokens of every sentence of each text."""
        found = self.requests.score(view)
        out = []
        for values in (found.log_prob, found.tokens):
            row = np.full(len(self._fits), np.nan)
            row[self._fits] = values
            out.append(np.split(row, self._ends))
        return out[0], out[1]


def _mean(values: Floats) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _orders(text: Sequence[str], seed: int, number: int) -> list[list[str]]:
    """Return permutations of the sentences, none of them the text itself."""
    rng, found = random.Random(f"orders-{seed}-{number}"), list[list[str]]()
    while len(found) < ORDERS:
        order = rng.sample(range(len(text)), len(text))
        if order != list(range(len(text))):
            found.append([text[place] for place in order])
    return found
