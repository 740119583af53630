"""A reader without memory, asked through the same probes: what n-grams alone can score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.ngrams import NgramModel
from nucleate.probes.plan import Plan


class NgramView:
    """Stands where a `view.ModelView` stands, with an n-gram model behind it.

    What it scores above chance is no sign of syntax or coherence.

    Args:
        ngrams: Its longest order is the one that answers.
    """

    def __init__(self, ngrams: NgramModel) -> None:
        self._ngrams = ngrams

    def answers(self, plan: Plan) -> NDArray[np.float64]:
        """Return the log-probability (nats) of every token the plan asks for."""
        out = np.full(int(plan.offsets[-1]), np.nan)
        memory = self._ngrams.order - 1
        for first, before, tokens in plan.questions():
            context = before[-memory:] if memory else ()
            for place, token in enumerate(tokens, first):
                out[place] = self._ngrams.log_prob(context, token)
        return out

    def greedy(self, plan: Plan) -> NDArray[np.bool_]:
        """Return whether each asked token is the likeliest of all."""
        out = np.zeros(int(plan.offsets[-1]), dtype=bool)
        memory = self._ngrams.order - 1
        best: dict[tuple[int, ...], int] = {}
        for first, before, tokens in plan.questions():
            context = before[-memory:] if memory else ()
            if context not in best:
                likely = self._ngrams.distribution(context, self._ngrams.order)
                best[context] = int(likely.argmax())
            out[first : first + len(tokens)] = np.array(tokens) == best[context]
        return out

    def log_probs(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the next-token distribution after every position, shape ``(R, T, V)``."""
        memory, order = self._ngrams.order - 1, self._ngrams.order
        tables = [
            np.log(self._ngrams.distribution(tuple(row[max(0, t + 1 - memory) : t + 1]), order))
            for row in rows.tolist()
            for t in range(len(row))
        ]
        return np.array(tables, dtype=np.float32).reshape(*rows.shape, -1)
