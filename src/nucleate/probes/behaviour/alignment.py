"""How close the model's next-token distribution is to that of n-gram models of its corpus.

KL_n = mean over held-out contexts of KL(p_ngram(. | c) || p_model(. | c)), in nats; n-gram first
(Belrose et al. 2024). A network passes close to the unigram, then the bigram, then the trigram, and
leaves each behind: the later rise of KL_n is as much part of the evidence as the fall.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, Reading
from nucleate.corpora.ngrams import NgramModel
from nucleate.probes.readings import mean_reading
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

ORDERS = ("unigram", "bigram", "trigram")


class AlignmentItems:
    """Held-out rows and the n-gram distributions after each of their positions.

    Args:
        rows: Held-out token ids, shape ``(R, T)``.
        ngrams: A trigram model of the training corpus.
        skip: Positions at the start of a row that have too little context.
    """

    def __init__(self, rows: NDArray[np.int64], ngrams: NgramModel, skip: int = 2) -> None:
        self.rows, self.skip = rows, skip
        self.p: list[NDArray[np.float32]] = []
        self.negentropy: list[NDArray[np.float64]] = []
        for order in range(1, 4):
            table = np.stack(
                [
                    ngrams.distribution(tuple(row[max(0, t - 1) : t + 1]), order)
                    for row in rows.tolist()
                    for t in range(skip, len(row))
                ]
            ).reshape(len(rows), rows.shape[1] - skip, -1)
            self.negentropy.append((table * np.log(table)).sum(-1))
            self.p.append(table.astype(np.float32))


def _cost(items: AlignmentItems) -> int:
    return int(items.rows.size)


@probe(name="ngram", level=Level.COOCCURRENCE, unit="nats", cost=_cost)
def alignment(view: ModelView, items: AlignmentItems) -> Iterable[Reading]:
    """KL to the unigram, bigram and trigram; items are the means of the rows."""
    log_q = view.log_probs(items.rows)[:, items.skip :]
    for name, p, negentropy in zip(ORDERS, items.p, items.negentropy, strict=True):
        kl = negentropy - np.einsum("rtv,rtv->rt", p, log_q, dtype=np.float64)
        yield mean_reading(f"ngram.{name}.kl", kl.mean(1), level=Level.COOCCURRENCE, unit="nats")


def held_out_rows(tokens: Any, rows: int, context: int) -> NDArray[np.int64]:
    """Cut the first ``rows * context`` tokens into rows, shape ``(rows, context)``."""
    return np.asarray(tokens[: rows * context], dtype=np.int64).reshape(rows, context)
