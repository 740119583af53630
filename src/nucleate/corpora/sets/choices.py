"""Multiple choice, where every option continues the same question.

Prompts are those of lm-eval, so that numbers can be compared: a blank stands between context and
option and belongs to the option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nucleate.corpora.items import Choice
from nucleate.corpora.itemsets import Item
from nucleate.corpora.sets.rows import Row

CONNECTORS = {"cause": "because", "effect": "therefore"}


def options(context: str, texts: Sequence[str], gold: int, condition: str = "") -> Choice:
    """Return a choice between texts after one context.

    Raises:
        ValueError: The gold index points at no option, or there are fewer than two.
    """
    if not 0 <= gold < len(texts) or len(texts) < 2:
        raise ValueError(f"gold {gold} of {len(texts)} options")
    return Choice(tuple((context, f" {text.strip()}") for text in texts), gold, condition)


def hellaswag(rows: Iterable[Row]) -> list[Item]:
    """HellaSwag: how does the description of an activity go on? (Zellers et al. 2019)."""
    items: list[Item] = []
    for row in rows:
        if "query" in row:
            items.append(options(row["query"].rstrip(), row["choices"], int(row["gold"])))
            continue
        second = row["ctx_b"].capitalize()
        context = _wikihow(f"{row['activity_label']}: {row['ctx_a']} {second}")
        items.append(options(context, [_wikihow(t) for t in row["endings"]], int(row["label"])))
    return items


def copa(rows: Iterable[Row]) -> list[Item]:
    """COPA: the likelier cause or effect (Roemmele et al. 2011)."""
    items: list[Item] = []
    for row in rows:
        if "query" in row:
            items.append(options(row["query"].rstrip(), row["choices"], int(row["gold"])))
        else:
            items.append(cause_or_effect(row, CONNECTORS))
    return items


def cause_or_effect(row: Row, connectors: dict[str, str], condition: str = "") -> Choice:
    """Join premise and alternatives of a COPA row with the connector of its question."""
    context = f"{row['premise'].strip()[:-1]} {connectors[row['question']]}"
    texts = [text[0].lower() + text[1:] for text in (row["choice1"], row["choice2"])]
    return options(context, texts, int(row["label"]), condition)


def piqa(rows: Iterable[Row]) -> list[Item]:
    """PIQA: the workable way to a goal (Bisk et al. 2020)."""
    items: list[Item] = []
    for row in rows:
        if "query" in row:
            items.append(options(asked(row["query"]), row["choices"], int(row["gold"])))
        else:
            texts = [row["sol1"], row["sol2"]]
            items.append(options(asked(f"Question: {row['goal']}"), texts, int(row["label"])))
    return items


def arc(rows: Iterable[Row]) -> list[Item]:
    """ARC: school science (Clark et al. 2018)."""
    items: list[Item] = []
    for row in rows:
        if "query" in row:
            items.append(options(asked(row["query"]), row["choices"], int(row["gold"])))
        else:
            items.append(_lettered(row, asked(f"Question: {row['question']}")))
    return items


def openbookqa(rows: Iterable[Row]) -> list[Item]:
    """OpenBookQA: elementary science by an open book (Mihaylov et al. 2018)."""
    items: list[Item] = []
    for row in rows:
        if "query" in row:
            items.append(options(row["query"].rstrip(), row["choices"], int(row["gold"])))
        else:
            items.append(_lettered(row, row["question_stem"]))
    return items


def asked(question: str) -> str:
    """Return a question ready to be answered on the next line."""
    return f"{question.rstrip()}\nAnswer:"


def _lettered(row: Row, context: str) -> Choice:
    gold = list(row["choices"]["label"]).index(row["answerKey"])
    return options(context, row["choices"]["text"], gold)


def _wikihow(text: str) -> str:
    """Take the marks of WikiHow out of a text of HellaSwag."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")
