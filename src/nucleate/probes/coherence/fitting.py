"""Which items a tokenizer and a window can be asked about at all.

An item is asked whole or not at all: a question cut from the left is another question, and a text
that the tokenizer cannot write is scored as other text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from nucleate.core import DataError
from nucleate.corpora.itemsets import Item, ItemSet
from nucleate.corpora.sets import Published, load
from nucleate.corpora.sets.sample import take, texts_of
from nucleate.corpora.tokenizer import encode
from nucleate.probes.coherence.request import SuiteRequest

T = TypeVar("T")

FEWEST = 16
"""A set of which fewer items fit is not measured: its error would hide any change."""


class Fitting:
    """Says which texts fit, for one tokenizer and one window.

    Args:
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens, the one that begins it included.
    """

    def __init__(self, tokenizer: Any, context: int) -> None:
        self._tokenizer, self._context = tokenizer, context

    @cached_property
    def _unknown(self) -> int | None:
        token = getattr(self._tokenizer, "unk_token_id", None)
        special = (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id)
        return None if token is None or token in special else int(token)

    def texts(self, texts: Sequence[str]) -> list[bool]:
        """Say of each text whether it can be written, read back and fed whole."""
        try:
            encoded = encode(self._tokenizer, texts)
        except DataError:  # a word-level tokenizer names the first word it does not know
            return [False] * len(texts) if len(texts) == 1 else [self.texts([t])[0] for t in texts]
        return [self._fits(text, ids) for text, ids in zip(texts, encoded, strict=True)]

    def items(self, items: Sequence[Item]) -> list[bool]:
        """Say of each item whether everything it asks fits."""
        sides = [[before + after for before, after in texts_of(item)] for item in items]
        known = dict.fromkeys(text for own in sides for text in own)
        fit = dict(zip(known, self.texts(list(known)), strict=True))
        return [all(fit[text] for text in own) for own in sides]

    def _fits(self, text: str, ids: Sequence[int]) -> bool:
        if not 0 < len(ids) < self._context or (self._unknown is not None and self._unknown in ids):
            return False
        return _letters(self._tokenizer.decode(list(ids))) == _letters(text)


def _letters(text: str) -> str:
    """Return what must survive a tokenizer: no blanks, no case, no choice of code points."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def some(
    items: Sequence[T],
    conditions: Sequence[str],
    number: int,
    request: SuiteRequest,
    name: str,
    fits: Callable[[Sequence[T]], Sequence[bool]],
) -> tuple[list[T], list[str]]:
    """Take some items that fit, with a note where others did not; too few are none."""
    chosen, unfit = take(items, conditions, number, seed=request.seed, name=name, fits=fits)
    looked_at, room = unfit + len(chosen), f"within {request.context} tokens"
    if len(chosen) < min(FEWEST, len(items), number):
        can = f"the tokenizer can write {len(chosen)} of {looked_at} items {room}"
        return [], [f"{name} is not measured: {can}"]
    if unfit:
        left = f"{unfit} of {looked_at} items looked at were left out"
        return chosen, [f"{name}: {left}, the tokenizer cannot write them {room}"]
    return chosen, []


def choose(
    published: Published, request: SuiteRequest, number: int | None = None
) -> tuple[ItemSet | None, list[str]]:
    """Load a set and take as many of its items as the request asks for.

    Returns:
        The set with those items, None where there are none, and notes.
    """
    found = load(published, request.data, hub=request.hub)
    if found is None:
        where = "the data folder" if request.data else "a data folder"
        return None, [f"{published.name} is not measured: it is not in {where}"]
    return choose_of(found, request, number)


def choose_of(
    found: ItemSet, request: SuiteRequest, number: int | None = None
) -> tuple[ItemSet | None, list[str]]:
    """Take as many items of a set as the request asks for; otherwise as `choose`."""
    fits = Fitting(request.tokenizer, request.context).items
    names = [item.condition for item in found.items]
    size = request.items if number is None else number
    chosen, notes = some(found.items, names, size, request, found.name, fits)
    return (replace(found, items=tuple(chosen)) if chosen else None), notes
