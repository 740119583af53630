"""n-gram models of a token stream: what a reader without memory could know."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.packing import Tokens


class NgramModel:
    """Unigram, bigram and trigram with Witten-Bell smoothing.

    p_n(w | c) mixes the relative frequency after c with p_{n-1}, the weight of the latter being
    T(c) / (N(c) + T(c)): N(c) tokens of T(c) types were seen after c. The unigram is add-one
    smoothed. (Witten and Bell 1991, method C.)

    Args:
        tokens: A sample of the corpus, shape ``(n,)``.
        vocab_size: Number of token types.
        order: Longest n-gram, 1 to 3.
    """

    def __init__(self, tokens: Tokens, vocab_size: int, order: int = 3) -> None:
        self.vocab_size, self.order = vocab_size, order
        counts = np.bincount(tokens, minlength=vocab_size).astype(np.float64) + 1
        self._unigram = counts / counts.sum()
        self._after: list[dict[tuple[int, ...], tuple[Tokens, NDArray[np.float64]]]] = [
            _followers(tokens, length) for length in range(1, order)
        ]

    def distribution(self, context: tuple[int, ...], order: int) -> NDArray[np.float64]:
        """Return p_order(· | the last ``order - 1`` tokens of `context`), shape ``(V,)``."""
        p: NDArray[np.float64] = self._unigram
        for length in range(1, order):
            found = self._after[length - 1].get(context[len(context) - length :])
            if found is None:
                continue
            types, seen = found
            total = seen.sum() + len(types)
            p = p * (len(types) / total)
            p[types] += seen / total
        return p

    def log_prob(self, context: tuple[int, ...], token: int) -> float:
        """Return log p(token | context) of the longest order, in nats."""
        return float(np.log(self.distribution(context, self.order)[token]))


def _followers(
    tokens: Tokens, length: int
) -> dict[tuple[int, ...], tuple[Tokens, NDArray[np.float64]]]:
    """Map each context of `length` tokens to the types seen after it and their counts."""
    windows = np.stack([tokens[i : len(tokens) - length + i] for i in range(length + 1)], axis=1)
    unique, counts = np.unique(windows, axis=0, return_counts=True)
    grouped: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for row, count in zip(unique.tolist(), counts.tolist(), strict=True):
        grouped[tuple(row[:-1])].append((row[-1], count))
    return {
        context: (
            np.array([token for token, _ in pairs], dtype=np.int64),
            np.array([count for _, count in pairs], dtype=np.float64),
        )
        for context, pairs in grouped.items()
    }
