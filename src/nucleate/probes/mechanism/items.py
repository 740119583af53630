"""Rows that heads are read on: repeated random tokens, and stories whose notes say what decides.

Shape legend: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nucleate.core import DataError
from nucleate.corpora.items import Passage
from nucleate.corpora.storyworld import Mixture, Split, World, make_items
from nucleate.probes.mechanism import links as pattern
from nucleate.probes.mechanism.behaviours import Behaviour, make_behaviour
from nucleate.probes.mechanism.links import Links, make_links
from nucleate.probes.mechanism.stories import ATTRACTED, CLAUSE_ENDS, Linked, linked

TOKENS, REPEATS = 25, 4
"""Length of a random string, and how often it stands in its row (Olsson et al. 2022, appendix)."""


@dataclass(frozen=True, eq=False)
class HeadItems:
    """Rows, what is looked for in attention, and what heads should bring about.

    Attributes:
        ids_BT: Token ids, padded on the right.
        real_BT: Which of them are no padding.
        links: Attention patterns; a head's score is the attention that goes there.
        behaviours: Tokens that should be likely.
        sweep: Passes over the rows that ablating every head once costs (`sweep_passes`).
    """

    ids_BT: torch.Tensor
    real_BT: torch.Tensor
    links: tuple[Links, ...]
    behaviours: tuple[Behaviour, ...]
    sweep: int

    @property
    def forward_tokens(self) -> int:
        """Tokens of one pass, padding included."""
        return self.ids_BT.numel()

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


def story_head_items(
    world: World,
    mixture: Mixture,
    tokenizer: Any,
    *,
    split: Split = Split.CONTROL,
    rows: int = 40,
    context: int = 128,
    layers: int = 3,
    heads: int = 4,
) -> HeadItems:
    """Build the rows of the story world: a fifth of them random, the others stories with notes.

    Args:
        world: The world that training tells of.
        mixture: The mixture that training tells stories with.
        tokenizer: The word-level tokenizer of the world.
        split: Which probe set the stories are from.
        rows: Number of rows.
        context: Longest row, in tokens.
        layers: Layers of the model that will be asked; only costs follow from it.
        heads: Heads of each of its layers; likewise.
    """
    fifth = max(2, rows // 5)
    ids, begin = tokenizer.get_vocab(), tokenizer.bos_token_id
    words = sorted(set(ids.values()) - set(tokenizer.all_special_ids))
    repeats = min(REPEATS, (context - 1) // TOKENS)
    random_rows = repeated_rows(words, fifth, begin=begin, repeats=repeats)
    made = make_items(world, mixture, split, stories=max(2 * fifth, 8))
    passages = (*made.plots[:fifth], *made.agreement[:fifth], *made.states[: 2 * fifth])
    told = [
        tuple([begin, *(ids[word] for word in passage.words)][:context]) for passage in passages
    ]
    notes = _Notes(passages, fifth, context, ids)
    ends = frozenset(ids[word] for word in CLAUSE_ENDS if word in ids)
    return _packed(
        [*random_rows, *told],
        links=(
            *plain_links(random_rows, range(fifth), ("duplicate_token", "induction")),
            *plain_links(told, range(fifth, fifth + len(told)), ("previous_token",)),
            *plain_links(told, range(fifth, fifth + len(told)), ("current_token", "first_token")),
            _each("clause_boundary", told, fifth, lambda row: pattern.last_boundary(row, ends)),
            *notes.links(),
        ),
        behaviours=(copying(random_rows, TOKENS), *notes.behaviours()),
        fill=begin,
        sweep=sweep_passes(layers, heads),
    )


def sweep_passes(layers: int, heads: int) -> int:
    """Return how many passes it costs to change every head once, only the layers above run again.

    >>> sweep_passes(3, 4)
    8
    """
    return -(-heads * (layers + 1) // 2)


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
        yield _each(name, rows, first, getattr(pattern, name))


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


def _each(
    name: str,
    rows: Sequence[Sequence[int]],
    first: int,
    find: Callable[[Sequence[int]], Iterator[pattern.Asked]],
) -> Links:
    return make_links(
        name, ((first + n, query, keys) for n, row in enumerate(rows) for query, keys in find(row))
    )


def _packed(
    rows: Sequence[Sequence[int]],
    *,
    links: tuple[Links, ...],
    behaviours: tuple[Behaviour, ...],
    fill: int,
    sweep: int,
) -> HeadItems:
    width = max(map(len, rows))
    ids_BT = torch.full((len(rows), width), fill, dtype=torch.long)
    real_BT = torch.zeros_like(ids_BT, dtype=torch.bool)
    for b, row in enumerate(rows):
        ids_BT[b, : len(row)] = torch.tensor(row)
        real_BT[b, : len(row)] = True
    return HeadItems(ids_BT, real_BT, links, behaviours, sweep)


class _Notes:
    """The decided words of some stories, as attention patterns and as behaviours."""

    def __init__(
        self, passages: Sequence[Passage], first: int, context: int, ids: dict[str, int]
    ) -> None:
        self._passages, self._first, self._most, self._ids = passages, first, context - 1, ids

    def links(self) -> Iterator[Links]:
        """Yield who attends to what decides: subject, entity, cause, and names of holders."""
        wanted: dict[str, dict[str, Sequence[str]]] = {
            "agreement": {"agreement": ATTRACTED},
            "entity_link": {"where": (), "holder": ()},
            "cause_link": {"cause": ()},
        }
        for name, kinds in wanted.items():
            yield make_links(name, ((row, x.place, x.keys) for row, x in self._linked(kinds)))
        named = [(row, x) for row, x in self._linked({"holder": ()}) if x.mentions and x.rivals]
        yield make_links("answer_name", ((row, x.place, x.mentions) for row, x in named))
        yield make_links("rival_name", ((row, x.place, x.rivals) for row, x in named))

    def behaviours(self) -> Iterator[Behaviour]:
        """Yield agreement across attractors, entity states, names of holders, and consequences."""
        yield self._behaviour("agreement", self._linked({"agreement": ATTRACTED}))
        yield self._behaviour("state", self._linked({"where": (), "holder": ()}))
        named = self._linked({"holder": ()})
        yield self._behaviour("holder", ((r, x) for r, x in named if x.mentions and x.rivals))
        yield self._behaviour("cause", self._linked({"cause": ()}))

    def _linked(self, kinds: dict[str, Sequence[str]]) -> Iterator[tuple[int, Linked]]:
        for row, passage in enumerate(self._passages, start=self._first):
            for found in linked(passage, kinds, self._most):
                yield row, found

    def _behaviour(self, name: str, items: Iterable[tuple[int, Linked]]) -> Behaviour:
        ids = self._ids
        return make_behaviour(
            name,
            ((row, x.place, ids[x.answer], [ids[word] for word in x.foils]) for row, x in items),
        )
