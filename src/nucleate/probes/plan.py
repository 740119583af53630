"""Questions about tokens, packed once per tokenizer into batches that every model can be asked.

Shape legend: B rows, T tokens, A asked places, K asked tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.probes.forest import Ids, Tree, grow

BATCH_TOKENS = 4096
"""Tokens of a batch on a processor: enough for the matrix products, small enough for its caches."""

_PADDING = 0.03
"""A batch is closed when padding would be more of it than this, unless it is small."""
_SMALL = 1 / 8
"""Share of a whole batch below which one is small."""


@dataclass(frozen=True, slots=True)
class Query:
    """Ask for log p(token | ids[:position]) of some tokens at some positions of a sequence.

    Attributes:
        ids: The sequence; must be at least as long as the largest position.
        asks: ``(position, tokens)`` pairs, positions ≥ 1.
    """

    ids: Ids
    asks: tuple[tuple[int, Ids], ...]


def sequence_query(ids: Sequence[int], start: int) -> Query:
    """Ask for every token of ``ids[start:]``, so that their sum is log p(ids[start:] | before)."""
    return Query(tuple(ids), tuple((p, (ids[p],)) for p in range(start, len(ids))))


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of one width, padded on the right, and what is asked of them.

    Attributes:
        ids_BT: What is fed.
        depth_BT: Position of each token in its sequence; None where that is its place in the row.
        end_BT: See `forest`; None where no row has branches, so that nothing needs a mask.
        asked_A: Places asked about, in the flattened rows, each once.
        row_K: Which of them each asked token is about.
        token_K: The asked tokens.
        target_K: Where in the answers each belongs.
    """

    ids_BT: torch.Tensor
    depth_BT: torch.Tensor | None
    end_BT: torch.Tensor | None
    asked_A: torch.Tensor
    row_K: torch.Tensor
    token_K: torch.Tensor
    target_K: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """Queries, and how to run them.

    Attributes:
        queries: In the order in which they were asked.
        offsets: Query `q` owns answers ``offsets[q]:offsets[q + 1]``, in the order of its asks.
        batch_tokens: Most tokens in a batch, unless one sequence has more; None leaves it to the
            device.
    """

    queries: tuple[Query, ...]
    offsets: NDArray[np.int64]
    batch_tokens: int | None = None
    _packed: dict[tuple[int, bool], tuple[Batch, ...]] = field(default_factory=dict, repr=False)

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The batches for a processor."""
        return self.packed()

    @property
    def forward_tokens(self) -> int:
        """Tokens that one pass over the plan sends through a model, padding included."""
        return sum(batch.ids_BT.numel() for batch in self.batches)

    @property
    def longest(self) -> int:
        """Most tokens that stand before an asked one."""
        return max((_fed(query) for query in self.queries), default=0)

    def packed(
        self, batch_tokens: int = BATCH_TOKENS, *, branching: bool = True
    ) -> tuple[Batch, ...]:
        """Return the batches; made once for each size.

        Args:
            batch_tokens: Most tokens in a batch, where the plan itself does not say.
            branching: Whether sequences that begin alike may lie in one row.
        """
        size = self.batch_tokens or batch_tokens
        if (size, branching) not in self._packed:
            fed = [query.ids[: _fed(query)] for query in self.queries]
            trees = grow(fed, most=size, branching=branching)
            made = [_batch(group, self) for group in _groups(trees, size)]
            # The largest first: what does not fit into memory fails at once, and what a smaller
            # one needs finds room in what a larger one has left.
            made.sort(key=lambda batch: batch.ids_BT.numel(), reverse=True)
            self._packed[size, branching] = tuple(made)
        return self._packed[size, branching]

    def questions(self) -> Iterator[tuple[int, Ids, Ids]]:
        """Yield ``(first, before, tokens)``: answers from `first` on are log p(token | before)."""
        for query, offset in zip(self.queries, self.offsets.tolist(), strict=False):
            first = offset
            for position, tokens in query.asks:
                yield first, query.ids[:position], tokens
                first += len(tokens)


def make_plan(queries: Sequence[Query], *, batch_tokens: int | None = None) -> Plan:
    """Pack queries into batches of at most `batch_tokens` tokens."""
    counts = [sum(len(tokens) for _, tokens in query.asks) for query in queries]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Plan(tuple(queries), offsets, batch_tokens)


def _fed(query: Query) -> int:
    # The last asked position needs only what stands before it.
    return max(position for position, _ in query.asks)


def _groups(trees: list[Tree], size: int) -> Iterator[list[Tree]]:
    """Yield trees of about one length together: rows with and without branches apart."""
    for branches in (True, False):
        kind = sorted((t for t in trees if t.branches is branches), key=len, reverse=True)
        group: list[Tree] = []
        tokens = 0
        for tree in kind:
            whole = (len(group) + 1) * len(group[0]) if group else 0
            padding = whole - tokens - len(tree)
            if whole > size or (whole > _SMALL * size and padding > _PADDING * whole):
                yield group
                group, tokens = [], 0
            group.append(tree)
            tokens += len(tree)
        if group:
            yield group


def _batch(group: list[Tree], plan: Plan) -> Batch:
    width, masked = len(group[0]), group[0].branches
    ids_BT = np.zeros((len(group), width), dtype=np.int64)
    depth_BT = np.zeros_like(ids_BT)
    end_BT = np.tile(np.arange(1, width + 1), (len(group), 1))  # padding sees nothing but itself
    asked: list[int] = []
    tokens: list[int] = []
    targets: list[int] = []
    for b, tree in enumerate(group):
        ids_BT[b, : len(tree)] = tree.ids
        depth_BT[b, : len(tree)] = tree.depth
        end_BT[b, : len(tree)] = tree.end
        for q, places in tree.places:
            target = int(plan.offsets[q])
            for position, candidates in plan.queries[q].asks:
                asked += [b * width + places[position - 1]] * len(candidates)
                tokens += candidates
                targets += range(target, target + len(candidates))
                target += len(candidates)
    asked_A, row_K = np.unique(np.array(asked, dtype=np.int64), return_inverse=True)
    return Batch(
        torch.from_numpy(ids_BT),
        torch.from_numpy(depth_BT) if masked else None,
        torch.from_numpy(end_BT) if masked else None,
        torch.from_numpy(asked_A),
        torch.from_numpy(row_K),
        torch.tensor(tokens),
        np.array(targets, dtype=np.int64),
    )
