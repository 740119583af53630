"""Minimal pairs of sentences: the formats of BLiMP, CLAMS, TurBLiMP and MultiBLiMP."""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.corpora.items import MinimalPair
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.published import first_of, language_of
from nucleate.corpora.sets.rows import Row

_GOOD = ("good", "sentence_good", "good_sentence", "sen")
_BAD = ("bad", "sentence_bad", "bad_sentence", "wrong_sen")
_PARADIGM = ("paradigm", "UID", "phenomenon")


def english_pairs(rows: Iterable[Row]) -> list[Item]:
    """Return pairs whose condition is the paradigm; a pair of equal sentences asks nothing."""
    return _distinct(_pair(row, first_of(row, _PARADIGM)) for row in rows)


def pairs_by_language(rows: Iterable[Row]) -> list[Item]:
    """Return pairs whose condition is ``language.paradigm``."""
    return _distinct(_pair(row, f"{language_of(row)}.{first_of(row, _PARADIGM)}") for row in rows)


def _pair(row: Row, condition: str) -> MinimalPair:
    return MinimalPair(first_of(row, _GOOD), first_of(row, _BAD), condition)


def _distinct(pairs: Iterable[MinimalPair]) -> list[Item]:
    return [pair for pair in pairs if pair.good != pair.bad]
