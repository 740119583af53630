"""bAbI questions (Weston et al. 2015): the answer among all answers of its task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nucleate.corpora.items import Choice

STATE_TASKS = (
    "three-supporting-facts",
    "three-arg-relations",
    "basic-coreference",
    "compound-coreference",
)
"""Tasks that ask for the state of a person or thing, the others for reasoning or a count."""

NEAR = 1
"""Lines after the last supporting one, up to which a question is near."""


@dataclass(frozen=True, slots=True)
class BabiItem:
    """One question.

    Attributes:
        choice: The answer among the answers of its task.
        task: Name of the task.
        distance: Lines between the last line that supports the answer and the question.
    """

    choice: Choice
    task: str
    distance: int


def babi_items(rows: Iterable[dict[str, Any]]) -> list[BabiItem]:
    """Return the questions of every task; questions that share a story are one document.

    Args:
        rows: ``{"task", "name", "story", "question", "answer", "support", "line_ids"}``, the last
            two being the numbers of the supporting lines and of all lines of the story.
    """
    rows = list(rows)
    answers: dict[str, list[str]] = {}
    for row in rows:
        known = answers.setdefault(row["name"], [])
        if row["answer"] not in known:
            known.append(row["answer"])
    stories: dict[str, int] = {}
    items = []
    for row in rows:
        options = sorted(answers[row["name"]])
        context = f"{row['story']} {row['question']}"
        opening = " ".join(row["story"].split()[:12])
        document = stories.setdefault(f"{row['name']} {opening}", len(stories))
        choice = Choice(
            tuple((context, f" {option}") for option in options),
            options.index(row["answer"]),
            row["name"],
            document,
        )
        last = max(row["support"])
        distance = sum(line > last for line in row["line_ids"])
        items.append(BabiItem(choice, row["name"], distance))
    return items


def babi_groups(items: list[BabiItem]) -> dict[str, list[int]]:
    """Return places by task, and of the tasks about states also by distance."""
    groups: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(item.task.replace("-", "_"), []).append(place)
        if item.task in STATE_TASKS:
            groups.setdefault("state", []).append(place)
            near = item.distance <= NEAR
            groups.setdefault("state_near" if near else "state_far", []).append(place)
    return groups
