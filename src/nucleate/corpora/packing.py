"""Cut an endless stream of documents into token batches of one shape, resumable to the token.

A stream is made of shards, each a pure function of its index; the place in a stream is then two
numbers, whatever random choices the shards hold.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nucleate.core.errors import DataError

Tokens = NDArray[np.int64]


class Shards(Protocol):
    """A stream of tokens, cut into pieces that can be made again at any time."""

    def shard(self, index: int) -> Tokens:
        """Return the tokens of shard `index`, shape ``(n,)`` with n ≥ 1; always the same ones."""


class DocumentShards:
    """Documents in a new seeded order every epoch, `EOS` after each.

    Args:
        documents: Token ids of each document.
        eos: Id written after each document.
        seed: Seed of the order.

    Raises:
        DataError: There is no document.
    """

    def __init__(self, documents: Sequence[Tokens], eos: int, seed: int) -> None:
        if not documents:
            raise DataError("there is no document to train on", where="DocumentShards")
        self._documents = [np.append(document, eos) for document in documents]
        self._seed = seed
        self.tokens_per_epoch = sum(len(document) for document in self._documents)

    def shard(self, index: int) -> Tokens:
        """Return epoch `index` as one shard."""
        order = list(range(len(self._documents)))
        random.Random(f"documents-{self._seed}-{index}").shuffle(order)
        return np.concatenate([self._documents[position] for position in order])


class BatchStream:
    """Batches of shape ``(rows, context)`` cut from consecutive tokens of a stream.

    Every token of the stream is served exactly once and in order; `tokens_served` counts them.
    """

    def __init__(self, shards: Shards, rows: int, context: int) -> None:
        self.shards, self._rows, self._context = shards, rows, context
        self._index, self._offset = 0, 0
        self._current: Tokens | None = None
        self.tokens_served = 0

    def next(self) -> Tokens:
        """Return the next batch, shape ``(rows, context)``."""
        return self.take(self._rows, self._context)

    def take(self, rows: int, context: int) -> Tokens:
        """Return the next tokens as a batch of any shape ``(rows, context)``."""
        needed = rows * context
        pieces = []
        while needed:
            if self._current is None:
                self._current = self.shards.shard(self._index)
            piece = self._current[self._offset : self._offset + needed]
            pieces.append(piece)
            needed -= len(piece)
            self._offset += len(piece)
            if self._offset >= len(self._current):
                self._index, self._offset, self._current = self._index + 1, 0, None
        self.tokens_served += rows * context
        return np.concatenate(pieces).reshape(rows, context)

    def state(self) -> dict[str, int]:
        """Return the place in the stream, ready for JSON."""
        return {"shard": self._index, "offset": self._offset, "tokens_served": self.tokens_served}

    def restore(self, state: dict[str, int]) -> None:
        """Go to a place returned by `state`."""
        self._index, self._offset = state["shard"], state["offset"]
        self.tokens_served = state["tokens_served"]
        self._current = None
