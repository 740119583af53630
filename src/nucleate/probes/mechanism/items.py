"""Rows that heads are read on: repeated random tokens, and text of any kind.

Shape legend: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from nucleate.core import DataError
from nucleate.probes.mechanism import links as pattern
from nucleate.probes.mechanism.behaviours import Behaviour, make_behaviour
from nucleate.probes.mechanism.head_scores import Clusters
from nucleate.probes.mechanism.links import Links, make_links
from nucleate.probes.mechanism.reading import Sought

TOKENS, REPEATS = 25, 4
"""Length of a random string, and how often it stands in its row (Olsson et al. 2022, appendix)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A word that one row decides, for people to look at.

    Attributes:
        row: Which row.
        words: Its words until the one before the answer.
        answer: The word that comes next.
    """

    row: int
    words: tuple[str, ...]
    answer: str


_MOVERS = (("name_mover", "answer_name"), ("inhibition", "rival_name"))


@dataclass(frozen=True, eq=False)
class HeadItems:
    """Rows, what is looked for in attention, and what heads should bring about.

    Attributes:
        ids_BT: Token ids, padded on the right.
        real_BT: Which of them are no padding.
        links: Attention patterns; a head's score is the attention that goes there.
        behaviours: Tokens that should be likely.
        sweep: Passes over the rows that ablating every head once costs (`sweep_passes`).
        example: A decided word for people to look at; None without notes.
        kept_BT: Positions whose residual streams the same pass keeps for whoever measures
            representations; none if left out.
    """

    ids_BT: torch.Tensor
    real_BT: torch.Tensor
    links: tuple[Links, ...]
    behaviours: tuple[Behaviour, ...]
    sweep: int
    example: Asked | None = None
    kept_BT: torch.Tensor | None = None

    @cached_property
    def sought(self) -> Sought:
        """What a pass looks for, laid out once."""
        return Sought(self.links, self.behaviours, self.kept_BT)

    @cached_property
    def chances(self) -> tuple[float, ...]:
        """Chance level of each attention pattern."""
        return tuple(x.chance for x in self.links)

    @cached_property
    def mass_clusters(self) -> Clusters:
        """Rows of the queries of all attention patterns."""
        return Clusters([x.row_Q.cpu().numpy() for x in self.links])

    @cached_property
    def movers(self) -> tuple[tuple[str, str], ...]:
        """Scores of attention times attribution, each with the pattern it is of, on holders."""
        there = {x.name for x in self.links}
        asked = any(x.name == "holder" for x in self.behaviours)
        return tuple(x for x in _MOVERS if asked and x[1] in there)

    @cached_property
    def direct_clusters(self) -> Clusters:
        """Rows of the items of all behaviours, and again of holders for each of `movers`."""
        asked = [*self.behaviours, *(self.behaviour("holder") for _ in self.movers)]
        return Clusters([x.row_Q.cpu().numpy() for x in asked])

    @property
    def forward_tokens(self) -> int:
        """Tokens of one pass, padding included."""
        return self.ids_BT.numel()

    @property
    def example_tokens(self) -> int:
        """Tokens that looking at the example costs."""
        return len(self.example.words) if self.example else 0

    def behaviour(self, name: str) -> Behaviour:
        """Return a behaviour by name."""
        return next(found for found in self.behaviours if found.name == name)

    def link(self, name: str) -> Links:
        """Return an attention pattern by name."""
        return next(found for found in self.links if found.name == name)


def repeated_rows(
    tokens: Sequence[int], rows: int, *, begin: int, seed: int = 0, length: int = TOKENS,
    repeats: int = REPEATS,
) -> list[tuple[int, ...]]:  # fmt: skip
    """Return rows of random strings that are repeated, behind one token that begins a text.

    Args:
        tokens: Tokens to draw from, without replacement.
        rows: How many rows.
        begin: The token before the first string.
        seed: Seed of the draws.
        length: Tokens of a string.
        repeats: How often each string stands in its row.

    Raises:
        DataError: Fewer tokens than one string has.
    """
    if len(tokens) < length:
        raise DataError(
            "too few tokens for a random string", got=len(tokens), expected=f"{length} or more"
        )
    rng = np.random.default_rng(seed)
    drawn = (rng.choice(tokens, length, replace=False).tolist() for _ in range(rows))
    return [(begin, *(string * repeats)) for string in drawn]


def sweep_passes(layers: int, heads: int) -> int:
    """Return how many passes it costs to change every head once, only the layers above run again.

    >>> sweep_passes(3, 4)
    8
    """
    return -(-heads * (layers + 1) // 2)


def text_head_items(
    rows: Sequence[Sequence[int]],
    tokens: Sequence[int],
    *,
    begin: int,
    repeated: int = 10,
    repeats: int = REPEATS,
    layers: int = 3,
    heads: int = 4,
) -> HeadItems:
    """Build rows that need no notes: some of any text, and repeated random strings.

    Args:
        rows: Token ids of text.
        tokens: Tokens that random strings are drawn from; best without the most and the least
            common.
        begin: The token before the first string.
        repeated: Number of rows of random strings.
        repeats: How often each string stands in its row.
        layers: Layers of the model that will be asked; only costs follow from it.
        heads: Heads of each of its layers; likewise.
    """
    random_rows = repeated_rows(tokens, repeated, begin=begin, repeats=repeats)
    text = ("previous_token", "current_token", "first_token")
    return packed(
        [*random_rows, *rows],
        links=(
            *plain_links(random_rows, range(repeated), ("duplicate_token", "induction")),
            *plain_links(rows, range(repeated, repeated + len(rows)), text),
        ),
        behaviours=(copying(random_rows, TOKENS),),
        fill=begin,
        sweep=sweep_passes(layers, heads),
    )


def plain_links(
    rows: Sequence[Sequence[int]], numbers: Iterable[int], names: Iterable[str]
) -> Iterator[Links]:
    """Yield attention patterns that the tokens alone decide.

    Args:
        rows: Token ids of some rows.
        numbers: Which rows of the items these are.
        names: Functions of `links`: ``previous_token``, ``induction`` …
    """
    first = next(iter(numbers))
    for name in names:
        yield each_row(name, rows, first, getattr(pattern, name))


def copying(rows: Sequence[Sequence[int]], length: int) -> Behaviour:
    """Ask repeated random strings for every token that an earlier copy of its string decides."""
    return make_behaviour(
        "copying",
        (
            (number, place, row[place + 1], ())
            for number, row in enumerate(rows)
            for place in range(length + 1, len(row) - 1)
        ),
    )


def each_row(
    name: str,
    rows: Sequence[Sequence[int]],
    first: int,
    find: Callable[[Sequence[int]], Iterator[pattern.Asked]],
) -> Links:
    """Look for a pattern in rows of the items, the first of which has a number.

    Args:
        name: What a head is called that attends so.
        rows: Token ids of the rows.
        first: Number of the first.
        find: Gives the queries of one row and their keys (`links`).
    """
    return make_links(
        name, ((first + n, query, keys) for n, row in enumerate(rows) for query, keys in find(row))
    )


def packed(
    rows: Sequence[Sequence[int]],
    *,
    links: tuple[Links, ...],
    behaviours: tuple[Behaviour, ...],
    fill: int,
    sweep: int,
) -> HeadItems:
    """Pad rows on the right to one width, and put everything together."""
    width = max(map(len, rows))
    ids_BT = torch.full((len(rows), width), fill, dtype=torch.long)
    real_BT = torch.zeros_like(ids_BT, dtype=torch.bool)
    for b, row in enumerate(rows):
        ids_BT[b, : len(row)] = torch.tensor(row)
        real_BT[b, : len(row)] = True
    return HeadItems(ids_BT, real_BT, links, behaviours, sweep)
