"""Sequences as trees: what several sequences begin with is laid down, and computed, once.

A tree is one row of tokens in the order of a depth-first walk. Its branches must not see each
other: token j sees token i exactly when i ≤ j < end of the part of the row that hangs below i. So
one number per token says everything that an attention mask needs, and a row without branches
needs no mask at all, because a causal model's own is the same.

Shape legend: T tokens of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Ids = tuple[int, ...]

CROWDING = 1e-3
"""How much dearer a token becomes by each token beside it in the row, whose attention it has to
look through: measured for a width of 128 on a processor, less for anything wider."""

WIDEST = 1024
"""Longest row of short sequences; of long ones, twice as long as one. A mask grows with the square
of a row."""


@dataclass
class Tree:
    """One row: some sequences, folded where they begin alike.

    Attributes:
        ids: Token at each place.
        depth: Position of each token in its sequences.
        end: Place after the last token that hangs below each token, once the tree is `closed`.
        places: ``(sequence, where each of its tokens lies)``.
        branches: Whether any two sequences part ways.
    """

    ids: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    places: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    branches: bool = False
    _path: list[int] = field(default_factory=list)
    _last: Ids = ()

    def __len__(self) -> int:
        return len(self.ids)

    def shared(self, sequence: Ids) -> int:
        """Return how many tokens at the beginning are those of the last sequence added."""
        return _common(self._last, sequence)

    def add(self, number: int, sequence: Ids, shared: int) -> None:
        """Hang a sequence into the tree, `shared` tokens below the root."""
        self._close(shared)
        self.branches |= shared < len(self._last)
        fresh = range(len(self.ids), len(self.ids) + len(sequence) - shared)
        self.ids += sequence[shared:]
        self.depth += range(shared, len(sequence))
        self.end += fresh
        self._path += fresh
        self._last = sequence
        self.places.append((number, tuple(self._path)))

    def closed(self) -> Tree:
        """Return the tree, whose `end` is now true."""
        self._close(0)
        self._last = ()
        return self

    def _close(self, depth: int) -> None:
        for place in self._path[depth:]:
            self.end[place] = len(self.ids)
        del self._path[depth:]


def grow(sequences: Sequence[Ids], *, most: int, branching: bool = True) -> list[Tree]:
    """Fold sequences into rows.

    Taken in lexicographic order, each sequence shares most with the one before it. It joins that
    one's row where this costs less than a row of its own.

    Args:
        sequences: Tokens to feed; equal sequences lie in the same places.
        most: Longest row, unless a single sequence is longer.
        branching: Without, only a sequence that goes on where the whole row ends may join it.
    """
    trees: list[Tree] = []
    for number in sorted(range(len(sequences)), key=sequences.__getitem__):
        sequence = sequences[number]
        if trees:
            shared = trees[-1].shared(sequence)
            if _joins(trees[-1], shared, len(sequence), most, branching):
                trees[-1].add(number, sequence, shared)
                continue
            trees[-1].closed()
        trees.append(Tree())
        trees[-1].add(number, sequence, 0)
    if trees:
        trees[-1].closed()
    return trees


def _joins(tree: Tree, shared: int, length: int, most: int, branching: bool) -> bool:
    fresh, there = length - shared, len(tree)
    if not fresh or shared == there:
        return there + fresh <= max(most, length)
    if not branching or there + fresh > min(most, max(WIDEST, 2 * length)):
        return False
    # The cost of a row of n tokens is n · (1 + CROWDING · n).
    joined = fresh * (1 + CROWDING * (2 * there + fresh))
    return joined < length * (1 + CROWDING * length)


def _common(first: Ids, second: Ids) -> int:
    """Length of the longest common beginning."""
    low, high = 0, min(len(first), len(second))
    if first[:high] == second[:high]:
        return high
    while high - low > 1:  # equal up to low, not up to high
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low
