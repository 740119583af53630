"""A reader without memory, asked through the same probes: what n-grams alone can score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.ngrams import NgramModel
from nucleate.probes.scorer import Plan


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
        for batch in plan.batches:
            width = batch.ids_BT.shape[1]
            ids = batch.ids_BT.tolist()
            asked = batch.asked_A[batch.row_K].tolist()
            for place, token, target in zip(
                asked, batch.token_K.tolist(), batch.target_K.tolist(), strict=True
            ):
                row, t = divmod(place, width)
                context = tuple(ids[row][max(0, t + 1 - memory) : t + 1])
                out[target] = self._ngrams.log_prob(context, token)
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
