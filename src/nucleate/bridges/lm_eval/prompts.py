"""From a document to the text that stands before its answer: description, examples, question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from nucleate.bridges.lm_eval.fields import Doc, Fields
from nucleate.bridges.lm_eval.yamls import Config
from nucleate.core import DataError

SEED = 1234
"""Seed with which lm-eval draws examples unless it is told another."""


@dataclass
class Shots:
    """Draws the examples that stand before a question, in the order in which lm-eval draws them.

    Args:
        docs: What they are drawn from.
        number: Examples before each question.
        sampler: ``default`` (drawn anew for every question) or ``first_n``.
        seed: Seed of the draws, which follow one another over the questions.
        where: The task, for errors.
    """

    docs: Sequence[Doc]
    number: int
    sampler: str
    seed: int
    where: str

    def __post_init__(self) -> None:
        if self.sampler not in ("default", "first_n"):
            got, expected = self.sampler, "default or first_n"
            raise DataError("sampler is not known", where=self.where, got=got, expected=expected)
        self._random = Random(self.seed)

    def draw(self, asked: Doc | None) -> list[Doc]:
        """Return the examples for one question; it is not among them if it could be.

        Args:
            asked: The question where examples come from the same split, else None.

        Raises:
            DataError: There are too few documents.
        """
        if self.sampler == "first_n":
            pool = self.docs if asked is None else [doc for doc in self.docs if doc != asked]
            return self._enough(list(pool[: self.number]))
        size = self.number + bool(asked)
        if size > len(self.docs):
            self._enough([])
        drawn = self._random.sample(self.docs, size)
        if not asked:
            return drawn
        kept = [doc for doc in drawn if doc != asked][: self.number]
        if len(kept) < self.number:  # the question stands in the pool more than once
            pool = [doc for doc in self.docs if doc != asked]
            kept = self._random.sample(pool, min(self.number, len(pool)))
        return self._enough(kept)

    def _enough(self, drawn: list[Doc]) -> list[Doc]:
        if len(drawn) < self.number:
            got, expected = len(self.docs), f"≥ {self.number}"
            raise DataError("too few examples", where=self.where, got=got, expected=expected)
        return drawn


@dataclass(frozen=True)
class Prompt:
    """What stands before the answer of a document.

    Args:
        config: The task.
        question: The fields of the question.
        example: The fields of the examples before it, which a task may write otherwise.
        shots: Where examples come from; None for none.
        same_split: Whether examples come from the split that is asked.
    """

    config: Config
    question: Fields
    example: Fields
    shots: Shots | None = None
    same_split: bool = False

    def before(self, doc: Doc) -> str:
        """Return description and examples, rendered."""
        text = self.question.rendered(self.config.get("description"), doc) or ""
        if self.shots is None:
            return text
        for shot in self.shots.draw(doc if self.same_split else None):
            text += self._example(shot)
        return text

    def asked(self, question: str, doc: Doc, *, delimited: bool) -> str:
        """Return the question, with the beginning of the answer where the task gives one.

        Args:
            delimited: Whether the task's delimiter may stand before that beginning.
        """
        prefix = self.question.prefix(doc)
        if not prefix:
            return question
        delimiter = self.question.delimiter if delimited else ""
        return question + (delimiter if _apart(question, prefix) else "") + prefix

    def _example(self, doc: Doc) -> str:
        fields = self.example
        question, choices, target = (
            fields.text(doc),
            fields.choices_or_none(doc),
            fields.target(doc),
        )
        if isinstance(question, int):
            question, choices = fields.of_choices(question, doc), None
        answer: Any = target
        if choices and isinstance(target, int):
            answer = fields.of_choices(target, doc)
        elif isinstance(target, list):
            answer = target[0] if target else ""
        if not isinstance(answer, str):
            raise DataError("answer of an example is no text", where=fields.where, got=answer)
        prefix = fields.rendered(fields.settings.get("gen_prefix"), doc) or ""
        if not answer:
            joined = fields.delimiter if prefix and _apart(question, prefix) else ""
            return question + joined + prefix
        delimiter = fields.delimiter
        if prefix:
            delimiter = delimiter if _apart(question, prefix) else ""
            answer = prefix + (" " if _apart(prefix, answer) else "") + answer
        end = str(fields.settings.get("fewshot_delimiter", "\n\n"))
        return f"{question}{delimiter}{answer}{end}"


def _apart(before: str, after: str) -> bool:
    """Whether two texts need something between them: neither brings a blank."""
    return bool(before) and not (before[-1].isspace() or after[0].isspace())
