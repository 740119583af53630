"""n-gram models of a token stream: what a reader without memory could know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core.errors import DataError
from nucleate.corpora.packing import Tokens

Floats = NDArray[np.float64]
_NO_TYPES: Tokens = np.zeros(0, dtype=np.int64)
_NOTHING: Floats = np.zeros(0)


class NgramModel:
    """Unigram, bigram and trigram with Witten-Bell smoothing.

    p_n(w | c) mixes the relative frequency after c with p_{n-1}, the weight of the latter being
    T(c) / (N(c) + T(c)): N(c) tokens of T(c) types were seen after c. The unigram is add-one
    smoothed. (Witten and Bell 1991, method C.) About 50 bytes are kept per token of the sample.

    Args:
        tokens: A sample of the corpus, shape ``(n,)`` with n ≥ `order`.
        vocab_size: Number of token types.
        order: Longest n-gram, 1 to 3.

    Attributes:
        unigram: p_1, shape ``(vocab_size,)``.

    Raises:
        DataError: A token lies outside the vocabulary, or the sample is too short.
    """

    def __init__(self, tokens: Tokens, vocab_size: int, order: int = 3) -> None:
        tokens = np.asarray(tokens, dtype=np.int64)
        if len(tokens) < order:
            raise DataError(
                "sample is too short for n-grams", got=len(tokens), expected=f"≥{order}"
            )
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            got = int(tokens.max())
            raise DataError(
                "token lies outside the vocabulary", got=got, expected=f"< {vocab_size}"
            )
        self.vocab_size, self.order = vocab_size, order
        counts = np.bincount(tokens, minlength=vocab_size).astype(np.float64) + 1
        self.unigram: Floats = counts / counts.sum()
        self._after = [_followers(tokens, length, vocab_size) for length in range(1, order)]

    def backoff(self, context: tuple[int, ...], length: int) -> tuple[float, Tokens, Floats]:
        """Take p_{length+1} apart into a share of p_length and what was seen after the context.

        Args:
            context: At least `length` tokens; only the last `length` are read.
            length: 1 for the bigram, 2 for the trigram.

        Returns:
            ``(weight, types, extra)``: p_{length+1}(w) = weight · p_length(w), plus ``extra[i]``
            where w is ``types[i]``. An unseen (or too short) context leaves all to p_length.
        """
        if len(context) < length:
            return 1.0, _NO_TYPES, _NOTHING
        return self._after[length - 1].backoff(context[len(context) - length :], self.vocab_size)

    def distribution(self, context: tuple[int, ...], order: int) -> Floats:
        """Return p_order(· | the last ``order - 1`` tokens of `context`), shape ``(V,)``."""
        p = self.unigram
        for length in range(1, order):
            weight, types, extra = self.backoff(context, length)
            if len(types):
                p = p * weight
                p[types] += extra
        return p

    def probabilities(self, context: tuple[int, ...], length: int, words: Tokens) -> Floats:
        """Return p_{length+1}(words | the last `length` tokens of `context`), one for each word."""
        p = self.unigram[words]
        for shorter in range(1, length + 1):
            weight, types, extra = self.backoff(context, shorter)
            if len(types):
                place = np.minimum(np.searchsorted(types, words), len(types) - 1)
                p = p * weight + np.where(types[place] == words, extra[place], 0.0)
        return p

    def log_prob(self, context: tuple[int, ...], token: int, order: int | None = None) -> float:
        """Return log p_order(token | context), in nats; of the longest order when left out."""
        length = (order or self.order) - 1
        return float(np.log(self.probabilities(context, length, np.array([token]))[0]))


@dataclass(frozen=True, slots=True)
class _Followers:
    """Types seen after each context of one length, in the order of the contexts' codes.

    Attributes:
        codes: Contexts as numbers in base `vocab_size`, ascending, shape ``(C,)``.
        bounds: Context `c` owns entries ``bounds[c]:bounds[c + 1]``, shape ``(C + 1,)``.
        types: Ascending inside a context, shape ``(entries,)``.
        counts: Times each was seen, same shape.
    """

    codes: Tokens
    bounds: Tokens
    types: Tokens
    counts: Tokens

    def backoff(self, context: tuple[int, ...], vocab_size: int) -> tuple[float, Tokens, Floats]:
        code = 0
        for token in context:
            code = code * vocab_size + token
        place = int(np.searchsorted(self.codes, code))
        if place == len(self.codes) or self.codes[place] != code:
            return 1.0, _NO_TYPES, _NOTHING
        inside = slice(self.bounds[place], self.bounds[place + 1])
        types, counts = self.types[inside], self.counts[inside]
        total = int(counts.sum()) + len(types)
        return len(types) / total, types, counts / total


def _followers(tokens: Tokens, length: int, vocab_size: int) -> _Followers:
    """Count what follows each context of `length` tokens; codes fit 63 bits up to 2M types."""
    number = len(tokens) - length
    code = np.zeros(number, dtype=np.int64)
    for shift in range(length + 1):
        code = code * vocab_size + tokens[shift : shift + number]
    unique, counts = np.unique(code, return_counts=True)
    contexts, types = np.divmod(unique, vocab_size)
    codes, starts = np.unique(contexts, return_index=True)
    return _Followers(codes, np.append(starts, len(unique)), types, counts)
