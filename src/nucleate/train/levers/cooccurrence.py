"""Co-occurrence start: embeddings begin as what the text's pairs of neighbours say, not at random.

Shape legend: V vocabulary, d width of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from nucleate.train.levers.base import Lever, Setting, refused, taken

if TYPE_CHECKING:
    from nucleate.corpora.packing import Shards
    from nucleate.train.training import Training

Array = NDArray[np.float64]

LARGEST = 16_384
"""Vocabulary whose matrix of pairs is still factored whole."""

EIGEN, SINGULAR = 9, 21
"""FLOPs of all eigenvectors or singular vectors of an n × n matrix, in n³ (Golub and Van Loan,
Matrix Computations, 4th ed., §8.3 and §8.6)."""

PART = "co-occurrence start"


class CoOccurrence(Lever):
    """Begin with embeddings that factor the positive PMI of neighbouring tokens.

    Word vectors learn such a factor implicitly (Levy and Goldberg 2014, "Neural word embedding as
    implicit matrix factorization"); here it is computed at once, from the first tokens of the text
    that is trained on, and nothing else of the model is touched. One matrix that is shared with the
    head takes the symmetric part; input and head of their own take a side each. Counting and
    factoring are booked.

    Attributes:
        tokens: How much of the training text is counted; as much as the run trains on when left
            out.
    """

    kind: Literal["cooccurrence"] = "cooccurrence"
    tokens: int | None = Field(default=None, ge=2)

    def expected(self, to: Setting) -> str:
        """Take a size."""
        fine = isinstance(to, (int, float)) and not isinstance(to, bool) and 0 <= to < 100
        return "" if fine else "root mean square of the embeddings, 0 (as they are) or more"

    def refuse(self, training: Training, to: Setting) -> None:
        """Refuse to throw away what was learnt.

        Raises:
            RecipeError: Training has begun, or the vocabulary is too large.
        """
        if to and training.tokens:
            raise refused(self, "comes too late", f"{training.tokens:,} tokens", "0 tokens")
        if training.vocabulary > LARGEST:
            raise refused(self, "has too many tokens", training.vocabulary, f"at most {LARGEST:,}")

    def pull(self, training: Training, to: Setting) -> str:
        """Set the embeddings; `to` is their root mean square, and 0 leaves them as they are."""
        size: float = taken(self, to)
        if not size:
            return "embeddings begin at random"
        recipe, model = training.recipe, training.model
        num = self.tokens or recipe.tokens
        pmi = positive_pmi(neighbours(training.workload.shards, training.vocabulary, num))
        width = model.config.hidden_size
        rng = np.random.default_rng([recipe.seed, 211])
        turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
        tied = bool(model.config.tie_word_embeddings)
        sides = (symmetric_factor(pmi, width),) if tied else two_factors(pmi, width)
        ends = (model.get_input_embeddings(), model.get_output_embeddings())
        for side, end in zip(sides, ends, strict=False):
            _set(end.weight, side @ turn, size)
        cube = (EIGEN if tied else SINGULAR) * training.vocabulary**3
        training.ledger.spend(PART, float(num + cube))
        return f"embeddings factor the PMI of {num:,} tokens, root mean square {size:g}"


def neighbours(shards: Shards, vocabulary: int, num: int) -> Array:
    """Count which token follows which in the first `num` tokens of a text, shape ``(V, V)``."""
    counts = np.zeros((vocabulary, vocabulary))
    left, index, last = num, 0, np.zeros(0, dtype=np.int64)
    while left > 0:
        shard = np.asarray(shards.shard(index), dtype=np.int64)[:left]
        text = np.concatenate([last, shard])
        np.add.at(counts, (text[:-1], text[1:]), 1.0)
        left, index, last = left - shard.size, index + 1, text[-1:]
    return counts


def positive_pmi(counts: Array) -> Array:
    """Return max(0, log p(x, y) / (p(x) p(y))) of counts of pairs, shape ``(V, V)``, in nats."""
    first, second = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    seen = counts > 0
    ratio = np.divide(counts * counts.sum(), first * second, out=np.ones_like(counts), where=seen)
    pmi: Array = np.maximum(np.log(ratio), 0.0)
    return pmi


def symmetric_factor(matrix: Array, width: int) -> Array:
    """Return E, shape ``(V, d)``, with E Eᵀ nearest to the symmetric part of a matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    top = np.argsort(values)[::-1][:width]
    factor = vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0))
    return _widened(factor, width)


def two_factors(matrix: Array, width: int) -> tuple[Array, Array]:
    """Return A and B, shape ``(V, d)`` each, with A Bᵀ nearest to a matrix."""
    left, values, right = np.linalg.svd(matrix)
    root = np.sqrt(values[:width])
    return _widened(left[:, :width] * root, width), _widened(right[:width].T * root, width)


def _widened(factor: Array, width: int) -> Array:
    return np.pad(factor, ((0, 0), (0, width - factor.shape[1])))


@torch.no_grad()
def _set(weight: torch.Tensor, to: Array, size: float) -> Any:
    mean_square = float((to**2).mean())
    scaled = to * (size / np.sqrt(mean_square)) if mean_square else to
    weight[: len(to)].copy_(torch.from_numpy(scaled).to(weight))
