"""Rows of the story world that heads are read on: what their notes say decides each word.

A fifth of the rows repeat random strings, as for any other text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from nucleate.corpora.items import Passage
from nucleate.corpora.storyworld import Mixture, Split, World, make_items
from nucleate.probes.mechanism import links as pattern
from nucleate.probes.mechanism.behaviours import Behaviour, make_behaviour
from nucleate.probes.mechanism.items import (
    REPEATS,
    TOKENS,
    Asked,
    HeadItems,
    copying,
    each_row,
    packed,
    plain_links,
    repeated_rows,
    sweep_passes,
)
from nucleate.probes.mechanism.links import Links, make_links
from nucleate.probes.mechanism.stories import ATTRACTED, CLAUSE_ENDS, Linked, linked


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
    items = packed(
        [*random_rows, *told],
        links=(
            *plain_links(random_rows, range(fifth), ("duplicate_token", "induction")),
            *plain_links(told, range(fifth, fifth + len(told)), ("previous_token",)),
            *plain_links(told, range(fifth, fifth + len(told)), ("current_token", "first_token")),
            each_row("clause_boundary", told, fifth, lambda row: pattern.last_boundary(row, ends)),
            *notes.links(),
        ),
        behaviours=(copying(random_rows, TOKENS), *notes.behaviours()),
        fill=begin,
        sweep=sweep_passes(layers, heads),
    )
    return replace(items, example=notes.example(tokenizer.bos_token))


class _Notes:
    """The decided words of some stories, as attention patterns and as behaviours."""

    def __init__(
        self, passages: Sequence[Passage], first: int, context: int, ids: dict[str, int]
    ) -> None:
        self._passages, self._first, self._most, self._ids = passages, first, context - 1, ids

    def links(self) -> Iterator[Links]:
        """Yield who attends to what decides: subject, entity, cause, verse; and holders' names."""
        wanted: dict[str, dict[str, Sequence[str]]] = {
            "agreement": {"agreement": ATTRACTED},
            "entity_link": {"where": (), "holder": ()},
            "cause_link": {"cause": ()},
            "refrain": {"song": ()},
        }
        for name, kinds in wanted.items():
            yield make_links(name, ((row, x.place, x.keys) for row, x in self._linked(kinds)))
        named = [(row, x) for row, x in self._linked({"holder": ()}) if x.mentions and x.rivals]
        yield make_links("answer_name", ((row, x.place, x.mentions) for row, x in named))
        yield make_links("rival_name", ((row, x.place, x.rivals) for row, x in named))

    def behaviours(self) -> Iterator[Behaviour]:
        """Yield agreement across attractors, entity states, holders, consequences and refrains."""
        yield self._behaviour("agreement", self._linked({"agreement": ATTRACTED}))
        yield self._behaviour("state", self._linked({"where": (), "holder": ()}))
        named = self._linked({"holder": ()})
        yield self._behaviour("holder", ((r, x) for r, x in named if x.mentions and x.rivals))
        yield self._behaviour("cause", self._linked({"cause": ()}))
        yield self._behaviour("refrain", self._linked({"song": ()}))

    def example(self, begin: str) -> Asked | None:
        """Return the shortest question after a holder that another name was mentioned before."""
        found = [
            Asked(row, (begin, *self._passages[row - self._first].words[: x.place]), x.answer)
            for row, x in self._linked({"holder": ("far",)})
        ]
        return min(found, key=lambda asked: len(asked.words), default=None)

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
