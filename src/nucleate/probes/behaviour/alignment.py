"""How close the model's next-token distribution is to that of n-gram models of its corpus.

KL_n = mean over held-out contexts of KL(p_ngram(. | c) || p_model(. | c)), in nats; n-gram first
(Belrose et al. 2024). A network passes close to the unigram, then the bigram, then the trigram, and
leaves each behind: the later rise of KL_n is as much part of the evidence as the fall.

KL is the n-gram's negative entropy minus sum_w p_n(w) log q(w). Neither needs a table of p_n:
p_n = weight · p_{n-1} + what was seen after c, so each follows from the one of order n-1 and a sum
over the few words that were seen. Cost and memory hardly depend on the vocabulary.

Shape legend: R rows, T tokens of a row, P positions asked about (T less the skipped), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, Reading
from nucleate.corpora.ngrams import Floats, NgramModel
from nucleate.probes.readings import mean_reading
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

ORDERS = ("unigram", "bigram", "trigram")

LOG_PROBS_AT_ONCE = 2**22
"""Most log-probabilities held at once (rows are asked for in groups), 4 bytes each."""


class AlignmentItems:
    """Held-out rows and what n-gram models expect after each of their positions.

    Args:
        rows: Held-out token ids, shape ``(R, T)`` with T > `skip`.
        ngrams: A trigram model of the training corpus.
        skip: Positions at the start of a row that have too little context.
    """

    def __init__(self, rows: NDArray[np.int64], ngrams: NgramModel, skip: int = 2) -> None:
        self.rows, self.skip, self.ngrams = rows, skip, ngrams
        self._unigram = ngrams.unigram.astype(np.float32)
        start = float(ngrams.unigram @ np.log(ngrams.unigram))
        self._rows = [_Row(row, ngrams, skip, start) for row in rows.tolist()]

    def kl(self, view: ModelView) -> Floats:
        """Return KL to each n-gram model at each position, shape ``(3, R, P)``, in nats."""
        return self.measure(view)[0]

    def measure(self, view: ModelView) -> tuple[Floats, Floats]:
        """Return KL, shape ``(3, R, P)``, and excess loss, ``(3, R, P - 1)``, in nats.

        The excess loss is the model's surprise at the word that comes minus the n-gram model's.
        """
        vocabulary = self.ngrams.vocab_size
        kl: list[Floats] = []
        excess: list[Floats] = []
        group = max(1, LOG_PROBS_AT_ONCE // (self.rows.shape[1] * vocabulary))
        for start in range(0, len(self.rows), group):
            log_q_RTV = view.log_probs(self.rows[start : start + group])
            for log_q_TV, row in zip(log_q_RTV, self._rows[start : start + group], strict=True):
                log_q_PV = log_q_TV[self.skip :, :vocabulary]
                kl.append(row.negentropy - row.expected(log_q_PV, self._unigram))
                said = log_q_PV[np.arange(len(row.next_words)), row.next_words]
                excess.append(row.log_p_next - said)
        return np.stack(kl, axis=1), np.stack(excess, axis=1)


class _Row:
    """What one row needs: negative entropies, and the n-grams' expectations in sparse form."""

    def __init__(self, row: list[int], ngrams: NgramModel, skip: int, negentropy: float) -> None:
        contexts = [tuple(row[max(0, t - 1) : t + 1]) for t in range(skip, len(row))]
        self.negentropy = np.full((3, len(contexts)), negentropy)
        self.weight = np.empty((2, len(contexts)))
        pieces: tuple[list[Any], list[Any]] = ([], [])
        for place, context in enumerate(contexts):
            for length in (1, 2):
                weight, types, extra = ngrams.backoff(context, length)
                shorter = ngrams.probabilities(context, length - 1, types)
                self.negentropy[length, place] = _mixed_negentropy(
                    self.negentropy[length - 1, place], weight, shorter, extra
                )
                self.weight[length - 1, place] = weight
                pieces[length - 1].append((np.full(len(types), place), types, extra))
        self.next_words = np.array(row[skip + 1 :], dtype=np.int64)
        self.log_p_next = np.array(
            [
                [
                    ngrams.log_prob(context, word, order)
                    for context, word in zip(contexts[:-1], row[skip + 1 :], strict=True)
                ]
                for order in (1, 2, 3)
            ]
        )
        self.seen = [
            (
                np.concatenate([at for at, _, _ in piece]).astype(np.int32),
                np.concatenate([types for _, types, _ in piece]).astype(np.int32),
                np.concatenate([extra for _, _, extra in piece]),
            )
            for piece in pieces
        ]

    def expected(self, log_q_PV: NDArray[np.float32], unigram: NDArray[np.float32]) -> Floats:
        """Return sum_w p_n(w) log q(w) of each order at each position, shape ``(3, P)``."""
        sums = [(log_q_PV @ unigram).astype(np.float64)]
        for weight, (at, types, extra) in zip(self.weight, self.seen, strict=True):
            sparse = np.bincount(at, extra * log_q_PV[at, types], minlength=len(log_q_PV))
            sums.append(weight * sums[-1] + sparse)
        return np.stack(sums)


def _mixed_negentropy(shorter: float, weight: float, p: Floats, extra: Floats) -> float:
    """Return sum_w p_n log p_n from that of order n-1, `shorter`, and p_{n-1} of the seen words."""
    mixed = weight * p + extra
    unseen = weight * np.log(weight) * (1 - p.sum()) + weight * (shorter - p @ np.log(p))
    return float(unseen + mixed @ np.log(mixed))


def _cost(items: AlignmentItems) -> int:
    return int(items.rows.size)


@probe(name="ngram", level=Level.COOCCURRENCE, unit="nats", cost=_cost)
def alignment(view: ModelView, items: AlignmentItems) -> Iterable[Reading]:
    """KL and loss gap to unigram, bigram and trigram; items are the rows.

    The gap is the loss that a row has left until the model predicts it as well as the n-gram model
    does, and zero from then on: unlike KL it does not turn back when the model moves on.
    """
    for name, kl_RP, excess_RP in zip(ORDERS, *items.measure(view), strict=True):
        gap_R = np.maximum(excess_RP.mean(1), 0.0)
        for measure, values_R, unit in (
            ("kl", kl_RP.mean(1), "nats"),
            ("gap_nll", gap_R, "nats/token"),
        ):
            yield mean_reading(
                f"ngram.{name}.{measure}", values_R, level=Level.COOCCURRENCE, unit=unit
            )


def held_out_rows(tokens: Any, rows: int, context: int) -> NDArray[np.int64]:
    """Cut the first ``rows * context`` tokens into rows, shape ``(rows, context)``.

    Fewer rows come back when there are fewer tokens.
    """
    rows = min(rows, len(tokens) // context)
    return np.asarray(tokens[: rows * context], dtype=np.int64).reshape(rows, context)
