"""The three ways in which lm-eval asks for log-probabilities, and how an item is put in each."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from nucleate.corpora.items import Choice, Cloze, ContextPair, MinimalPair
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.sample import texts_of


class Form(Enum):
    """How a task asks its questions."""

    OPTIONS = "options"
    """Several continuations of one context."""
    CONTEXTS = "contexts"
    """One continuation after several contexts."""
    REGIONS = "regions"
    """The same, for pairs whose region we tokenise apart from its context."""
    CLOZE = "cloze"
    """One continuation that a model may hit."""

    @property
    def output(self) -> str:
        """Value of the task's ``output_type``."""
        return "loglikelihood" if self is Form.CLOZE else "multiple_choice"

    @property
    def fields(self) -> dict[str, str]:
        """Names of the columns that a task reads."""
        if self is Form.CLOZE:
            return {"doc_to_text": "context", "doc_to_target": "continuation"}
        if self is Form.OPTIONS:
            return {"doc_to_text": "context", "doc_to_choice": "choices", "doc_to_target": "gold"}
        # Where doc_to_text is a place, lm-eval takes the choices for contexts.
        return {"doc_to_text": "gold", "doc_to_choice": "choices", "doc_to_target": "continuation"}

    def delimiter(self, items: Sequence[Item]) -> tuple[str, bool]:
        """Return the task's delimiter, and whether lengths of options are then those that we count.

        lm-eval counts the characters of an option without the delimiter, we without one blank.
        """
        if self is Form.CLOZE:
            return "", False
        texts = [text for item in items for _, text in texts_of(item)]
        blanks = sum(text.startswith(" ") for text in texts)
        one_kind = blanks in (0, len(texts))
        return " " if blanks == len(texts) else "", self is Form.OPTIONS and one_kind


def form_of(item: Item) -> Form | None:
    """Return the form that asks exactly what an item asks, None where there is none."""
    if isinstance(item, Cloze):
        return Form.CLOZE
    if isinstance(item, MinimalPair):
        return Form.OPTIONS
    contexts, texts = (set(side) for side in zip(*texts_of(item), strict=True))
    if isinstance(item, Choice) and len(contexts) == 1:
        return Form.OPTIONS
    if len(texts) > 1 or "" in contexts:  # lm-eval looks at the first character of each choice
        return None
    return Form.REGIONS if isinstance(item, ContextPair) else Form.CONTEXTS


def row_of(item: Item, form: Form, delimiter: str) -> dict[str, Any]:
    """Return an item as a document: the columns of `Form.fields`, condition and document."""
    texts = texts_of(item)
    about = {
        "condition": item.condition,
        "document": item.document,
    }
    if isinstance(item, Cloze):
        return {"context": item.context, "continuation": item.continuation, **about}
    gold = item.gold if isinstance(item, Choice) else 0
    bare = [text.removeprefix(delimiter) for _, text in texts]
    if form is Form.OPTIONS:
        return {"context": texts[0][0], "choices": bare, "gold": gold, **about}
    contexts = [context for context, _ in texts]
    return {"choices": contexts, "continuation": bare[0], "gold": gold, **about}


def metrics(form: Form, *, normalised: bool) -> list[dict[str, Any]]:
    """Return the metrics that lm-eval should compute, by its own names."""
    names = ["acc"]
    if form is Form.CLOZE:
        names.append("perplexity")
    elif normalised:
        names.append("acc_norm")
    return [
        {
            "metric": name,
            "aggregation": "perplexity" if name == "perplexity" else "mean",
            "higher_is_better": name != "perplexity",
        }
        for name in names
    ]
