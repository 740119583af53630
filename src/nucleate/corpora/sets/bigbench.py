"""BIG-bench tasks whose options are texts, asked for the likelihood of each text.

Tasks whose options are labels (yes/no, true/false, a/b) are left out, hyperbaton excepted: a small
model answers them with the likelier label whatever is asked, and its accuracy is the share of that
label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nucleate.corpora.items import Choice, MinimalPair
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.choices import options
from nucleate.corpora.sets.rows import Row

CONCEPTS = ("phrase_relatedness", "human_organs_senses", "general_knowledge", "riddle_sense")
"""Tasks about what words and things are."""

CAUSES = ("cause_and_effect/one_sentence_no_prompt",)
"""Tasks that choose between whole sentences: the cause first, or the effect first."""

_QUOTED = re.compile(r'a\s*"\s*(.+?)\s*"\s*b\s*"\s*(.+?)\s*"')


def concepts(rows: Iterable[Row]) -> list[Item]:
    """Return questions about concepts; the condition is the task."""
    items: list[Item] = []
    for row in rows:
        if row["task"] in CONCEPTS:
            context = f"{row['prefix']}{row['query']}".strip()
            items.append(options(context, row["choices"], int(row["gold"]), row["task"]))
        elif row["task"] in CAUSES:
            texts = tuple(("", text.strip()) for text in row["choices"])
            items.append(Choice(texts, int(row["gold"]), row["task"].split("/")[0]))
    return items


def adjective_order(rows: Iterable[Row]) -> list[Item]:
    """Return the phrases of hyperbaton as minimal pairs: adjectives in the usual order or not."""
    items: list[Item] = []
    for row in rows:
        found = _QUOTED.search(row["query"])
        if row["task"] == "hyperbaton" and found:
            good, bad = found.groups() if int(row["gold"]) == 0 else found.groups()[::-1]
            items.append(MinimalPair(good, bad))
    return items


def sentences(rows: Iterable[Row]) -> list[Item]:
    """Return questions whose options are whole sentences, as llm-foundry lays them out."""
    return [options(row["query"].rstrip(), row["choices"], int(row["gold"])) for row in rows]
