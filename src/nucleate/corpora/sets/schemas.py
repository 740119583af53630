"""Schemas: the same continuation after contexts that name different referents.

Scored as log p(continuation | context with the referent), "partial" in Trinh and Le (2018): length
and frequency of the continuation cancel.
"""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.corpora.items import Choice
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.rows import Row

_POSSESSIVE = ("my", "his", "her", "our", "their")
"""Pronouns whose referent gets an ending, as in lm-eval."""

_LOWER = ("The", "A", "An", "My", "His", "Her", "Our", "Their")
"""First words that do not keep their capital inside a sentence."""


def winograd(rows: Iterable[Row]) -> list[Item]:
    """Winograd schemas (Levesque et al. 2012); the two of a twin count as one document."""
    items: list[Item] = []
    twins: dict[tuple[str, ...], int] = {}
    for row in rows:
        if "contexts" in row:
            contexts, rest, gold = row["contexts"], row["continuation"], int(row["gold"])
        else:
            contexts, rest, gold = _with_referents(row)
        document = twins.setdefault(tuple(contexts), len(twins))
        items.append(_schema(contexts, rest, gold, document=document))
    return items


def winogrande(rows: Iterable[Row]) -> list[Item]:
    """Winogrande (Sakaguchi et al. 2020): the blank of a sentence is filled with each option."""
    items: list[Item] = []
    for row in rows:
        if "contexts" in row:
            items.append(_schema(row["contexts"], row["continuation"], int(row["gold"])))
            continue
        before, blank, rest = row["sentence"].partition("_")
        if not blank:
            raise ValueError(f"no blank in {row['sentence']!r}")
        contexts = [before + row["option1"], before + row["option2"]]
        items.append(_schema(contexts, rest, int(row["answer"]) - 1))
    return items


def comps(rows: Iterable[Row]) -> list[Item]:
    """COMPS: which concept has the property? (Misra et al. 2023, conceptual minimal pairs)."""
    items: list[Item] = []
    for row in rows:
        contexts = [row["prefix_acceptable"], row["prefix_unacceptable"]]
        condition = str(row.get("negative_sample_type") or "")
        items.append(_schema(contexts, row["property_phrase"], 0, condition))
    return items


def _schema(
    contexts: Iterable[str], rest: str, gold: int, condition: str = "", document: int = -1
) -> Choice:
    candidates = tuple((context.rstrip(), f" {rest.strip()}") for context in contexts)
    if not 0 <= gold < len(candidates) or not rest.strip():
        raise ValueError(f"gold {gold} of {len(candidates)} contexts before {rest!r}")
    return Choice(candidates, gold, condition, document)


def _with_referents(row: Row) -> tuple[list[str], str, int]:
    """Put each referent where the pronoun of a Winograd row stands."""
    start, pronoun = int(row["pronoun_loc"]), row["pronoun"]
    before, rest = row["text"][:start], row["text"][start + len(pronoun) :]
    inside = before.strip() and not before.rstrip().endswith((".", "!", "?"))
    contexts = []
    for name in row["options"]:
        first, blank, others = name.partition(" ")
        shown = f"{first.lower()} {others}" if inside and blank and first in _LOWER else name
        contexts.append(before + shown + ("'s" if pronoun in _POSSESSIVE else ""))
    return contexts, rest, int(row["label"])
