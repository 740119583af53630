"""Texts with one right continuation: LAMBADA, questions from Wikidata, Jeopardy."""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.corpora.items import Cloze
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.choices import asked
from nucleate.corpora.sets.rows import Row


def lambada(rows: Iterable[Row]) -> list[Item]:
    """LAMBADA: the last word of a passage (Paperno et al. 2016; the texts that OpenAI prepared)."""
    items: list[Item] = []
    for row in rows:
        if "text" in row:
            context, _, word = row["text"].strip().rpartition(" ")
        else:
            context, word = row["context"], row["continuation"]
        items.append(_cloze(context, word))
    return items


def statements(rows: Iterable[Row]) -> list[Item]:
    """Unfinished statements whose end is a fact (BIG-bench: QA Wikidata)."""
    return [_cloze(row["context"], row["continuation"]) for row in rows]


def jeopardy(rows: Iterable[Row]) -> list[Item]:
    """Clues of Jeopardy, by category; the answer stands on the next line."""
    return [
        _cloze(asked(row["context"]), row["continuation"], str(row.get("category") or ""))
        for row in rows
    ]


def _cloze(context: str, continuation: str, condition: str = "") -> Cloze:
    if not context.strip() or not continuation.strip():
        raise ValueError(f"empty context or continuation: {context!r}, {continuation!r}")
    return Cloze(context.rstrip(), f" {continuation.strip()}", condition)
