"""XCOPA: COPA in eleven languages, with each language's connectors (Ponti et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.choices import cause_or_effect
from nucleate.corpora.sets.published import language_of
from nucleate.corpora.sets.rows import Row

CONNECTORS: dict[str, dict[str, str]] = {
    "et": {"cause": "sest", "effect": "seetõttu"},
    "ht": {"cause": "poukisa", "effect": "donk sa"},
    "id": {"cause": "karena", "effect": "maka"},
    "it": {"cause": "perché", "effect": "quindi"},
    "qu": {"cause": "imataq", "effect": "chaymi"},
    "sw": {"cause": "kwa sababu", "effect": "kwa hiyo"},
    "ta": {"cause": "காரணமாக", "effect": "எனவே"},
    "th": {"cause": "เพราะ", "effect": "ดังนั้น"},
    "tr": {"cause": "çünkü", "effect": "bu yüzden"},
    "vi": {"cause": "bởi vì", "effect": "vì vậy"},
    "zh": {"cause": "因为", "effect": "所以"},
}
"""What lm-eval puts between premise and alternative."""


def xcopa(rows: Iterable[Row]) -> list[Item]:
    """Return the test items; the condition is the language."""
    items: list[Item] = []
    for row in rows:
        language = language_of(row)
        if language in CONNECTORS and row.get("split", "test") == "test":
            items.append(cause_or_effect(row, CONNECTORS[language], language))
    return items
