"""Batches blended from several token streams, row by row, in shares that may change at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nucleate.corpora.packing import BatchStream, Shards, Tokens

CORPUS = "corpus"
"""Name of the stream that gets whatever share the others leave."""


class Blend:
    """Batches of shape ``(rows, context)`` whose rows come from one or several streams.

    Each stream is served in order, from where it was left. Which rows are whose follows from the
    shares alone: what a batch cannot give for want of a fraction of a row, a later one does.
    With no other stream than the corpus, the batches are those of `BatchStream`.

    Attributes:
        served: Tokens served so far, by stream.
    """

    def __init__(self, corpus: Shards, rows: int, context: int) -> None:
        self.rows, self.context = rows, context
        self._streams = {CORPUS: BatchStream(corpus, rows, context)}
        self._shares = {CORPUS: 1.0}
        self._owed = {CORPUS: 0.0}

    @property
    def served(self) -> dict[str, int]:
        """Tokens served so far, by stream."""
        return {name: stream.tokens_served for name, stream in self._streams.items()}

    @property
    def sources(self) -> dict[str, Shards]:
        """Where the tokens of each stream come from, by stream."""
        return {name: stream.shards for name, stream in self._streams.items()}

    @property
    def tokens_served(self) -> int:
        """Tokens served so far, of all streams."""
        return sum(self.served.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of the rows that each stream gets from now on; they add up to 1."""
        return dict(self._shares)

    def add(self, name: str, shards: Shards) -> None:
        """Make another stream known, with no share yet; one that is known stays as it is."""
        if name not in self._streams:
            self._streams[name] = BatchStream(shards, self.rows, self.context)
            self._shares[name] = self._owed[name] = 0.0

    def weigh(self, shares: Mapping[str, float]) -> None:
        """Change the shares of some streams; the corpus gets what all others leave.

        Raises:
            ValueError: They add up to more than 1.
        """
        others = {k: v for k, v in {**self._shares, **shares}.items() if k != CORPUS}
        rest = 1.0 - sum(others.values())
        if rest < -1e-9:
            raise ValueError(f"shares of {', '.join(others)} add up to {1 - rest:g}, more than 1")
        self._shares = {CORPUS: max(0.0, rest), **others}
        self._owed = {name: self._owed.get(name, 0.0) for name in self._shares}

    def reshape(self, rows: int, context: int) -> None:
        """Serve batches of another shape from now on; no token is lost or served twice."""
        self.rows, self.context = rows, context

    def next(self) -> Tokens:
        """Return the next batch, shape ``(rows, context)``: the corpus first, then the others."""
        counts = self._count()
        batches = [
            self._streams[name].take(count, self.context) for name, count in counts.items() if count
        ]
        return batches[0] if len(batches) == 1 else np.concatenate(batches)

    def _count(self) -> dict[str, int]:
        """Say how many rows each stream gives: those it is owed most of, and exactly `rows`."""
        owed = {name: self._owed[name] + share * self.rows for name, share in self._shares.items()}
        counts = {name: max(0, int(np.floor(rows + 1e-9))) for name, rows in owed.items()}
        while sum(counts.values()) > self.rows:
            least = min((n for n in counts if counts[n]), key=lambda name: owed[name])
            counts[least] -= 1
        while sum(counts.values()) < self.rows:
            most = max(counts, key=lambda name: owed[name] - counts[name])
            counts[most] += 1
        self._owed = {name: owed[name] - counts[name] for name in counts}
        return counts

    def state(self) -> dict[str, Any]:
        """Return shape, shares and every place, ready for JSON."""
        return {
            "rows": self.rows,
            "context": self.context,
            "shares": dict(self._shares),
            "owed": dict(self._owed),
            "streams": {name: stream.state() for name, stream in self._streams.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a place returned by `state`; every stream named there must have been added."""
        self.rows, self.context = state["rows"], state["context"]
        self._shares, self._owed = dict(state["shares"]), dict(state["owed"])
        for name, place in state["streams"].items():
            self._streams[name].restore(place)
