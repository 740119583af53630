"""What attention is looked for: which keys count, for which queries of which rows.

Shape legend: Q asked queries, N links (a query may be linked to several keys), T tokens of a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from nucleate.core import DataError

Asked = tuple[int, Sequence[int]]
"""A query, and the keys that count for it."""


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """Keys that count, query by query.

    Attributes:
        name: What a head that attends so is called: ``induction`` …
        row_Q: Row of each asked query.
        query_Q: Its position.
        item_N: Which asked query each link belongs to.
        key_N: Position of the key.
    """

    name: str
    row_Q: torch.Tensor
    query_Q: torch.Tensor
    item_N: torch.Tensor
    key_N: torch.Tensor

    @property
    def chance(self) -> float:
        """Score of a head that attends evenly to everything before the query and to itself."""
        if not len(self.query_Q):
            return float("nan")
        keys_Q = torch.bincount(self.item_N, minlength=len(self.query_Q))
        return float((keys_Q / (self.query_Q + 1)).mean())

    def mass(self, pattern_BHTT: torch.Tensor) -> torch.Tensor:
        """Return how much of each query's attention goes to keys that count, shape ``(Q, H)``."""
        row_N, query_N = self.row_Q[self.item_N], self.query_Q[self.item_N]
        at_N = (x.to(pattern_BHTT.device) for x in (row_N, query_N, self.key_N, self.item_N))
        row, query, key, item = at_N
        taken_NH = pattern_BHTT[row, :, query, key].float()
        mass_QH = taken_NH.new_zeros(len(self.query_Q), pattern_BHTT.shape[1])
        return mass_QH.index_add_(0, item, taken_NH)

    def of_rows(self, first: int, last: int) -> tuple[Links, torch.Tensor]:
        """Return the links of rows ``first:last``, rows counted from there, and their places."""
        own_Q = (self.row_Q >= first) & (self.row_Q < last)
        own_N = own_Q[self.item_N]
        renumbered_Q = own_Q.cumsum(0) - 1
        part = Links(
            self.name,
            self.row_Q[own_Q] - first,
            self.query_Q[own_Q],
            renumbered_Q[self.item_N[own_N]],
            self.key_N[own_N],
        )
        return part, own_Q.nonzero()[:, 0]


def make_links(name: str, asked: Iterable[tuple[int, int, Sequence[int]]]) -> Links:
    """Make links from ``(row, query, keys)``; queries without a key are left out.

    Raises:
        DataError: A key lies behind its query, where a causal model cannot see it.
    """
    kept = [(row, query, keys) for row, query, keys in asked if len(keys)]
    for _, query, keys in kept:
        if max(keys) > query or min(keys) < 0:
            raise DataError(
                "a key lies outside what its query sees", where=name, got=list(keys),
                expected=f"0 … {query}",
            )  # fmt: skip
    items = [(item, key) for item, (_, _, keys) in enumerate(kept) for key in keys]
    column = torch.tensor(items, dtype=torch.long).reshape(-1, 2)
    return Links(
        name,
        torch.tensor([row for row, _, _ in kept], dtype=torch.long),
        torch.tensor([query for _, query, _ in kept], dtype=torch.long),
        column[:, 0],
        column[:, 1],
    )


def join(links: Sequence[Links]) -> Links:
    """Return several patterns as one, the queries of each after those of the one before."""
    counts = [len(part.row_Q) for part in links]
    shift = [0, *accumulate(counts)]
    items = [part.item_N + first for part, first in zip(links, shift, strict=False)]
    none = torch.zeros(0, dtype=torch.long)
    return Links(
        " ".join(part.name for part in links),
        torch.cat([none, *(part.row_Q for part in links)]),
        torch.cat([none, *(part.query_Q for part in links)]),
        torch.cat([none, *items]),
        torch.cat([none, *(part.key_N for part in links)]),
    )


def previous_token(ids: Sequence[int]) -> Iterator[Asked]:
    """The token before."""
    for query in range(1, len(ids)):
        yield query, (query - 1,)


def current_token(ids: Sequence[int]) -> Iterator[Asked]:
    """The token itself."""
    for query in range(1, len(ids)):
        yield query, (query,)


def first_token(ids: Sequence[int]) -> Iterator[Asked]:
    """The first token of the row, where attention goes that has nowhere to go."""
    for query in range(1, len(ids)):
        yield query, (0,)


def duplicate_token(ids: Sequence[int]) -> Iterator[Asked]:
    """Every earlier occurrence of the token."""
    seen: dict[int, list[int]] = defaultdict(list)
    for query, token in enumerate(ids):
        yield query, tuple(seen[token])
        seen[token].append(query)


def induction(ids: Sequence[int]) -> Iterator[Asked]:
    """Every token that follows an earlier occurrence of the present one: prefix matching.

    Olsson et al. 2022, arXiv:2209.11895, with the erratum: the token that follows, not the
    occurrence itself.
    """
    for query, earlier in duplicate_token(ids):
        yield query, tuple(key + 1 for key in earlier)


def last_boundary(ids: Sequence[int], boundaries: frozenset[int]) -> Iterator[Asked]:
    """The latest token before that ends a clause or sentence."""
    latest: tuple[int, ...] = ()
    for query, token in enumerate(ids):
        yield query, latest
        if token in boundaries:
            latest = (query,)
