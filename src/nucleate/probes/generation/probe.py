"""Sampled continuations, scored for repetition, entities and contradiction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.grid import js_distance, transitions
from nucleate.corpora.narrative.templates import wrong_answers
from nucleate.corpora.tokenizer import begin_token, encode
from nucleate.probes.generation.entities import known_share
from nucleate.probes.generation.repetition import distinct, ends_in_loop, repeated
from nucleate.probes.generation.sampling import Decoding
from nucleate.probes.readings import mean_reading
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

ANSWER = 6
"""Tokens drawn where only the next word is looked at."""


class GenerationItems:
    """Beginnings of stories to go on with, and questions whose next word can contradict the text.

    Args:
        stories: Beginning and what people wrote after it.
        questions: Pairs from `corpora.narrative.templates`; only the coherent context is used.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens; beginnings are cut from the left to leave room.
        decoding: How to draw.

    Attributes:
        human: What the measures of repetition and entities are for the human continuations.

    Raises:
        DataError: There are no stories, or the window leaves no room to write.
    """

    def __init__(
        self,
        stories: Sequence[tuple[str, str]],
        questions: Sequence[ContextPair],
        tokenizer: Any,
        *,
        context: int,
        decoding: Decoding | None = None,
    ) -> None:
        self.decoding = decoding or Decoding()
        room = context - self.decoding.length - 1
        if not stories or room < 8:
            raise DataError(
                "nothing to go on with", where="GenerationItems", got=f"{len(stories)} stories"
            )
        self._tokenizer = tokenizer
        self.stories = tuple(stories)
        self.questions = tuple(question for question in questions if wrong_answers(question))
        begin = begin_token(tokenizer)
        told = encode(tokenizer, [begun for begun, _ in stories])
        asked = encode(tokenizer, [question.coherent for question in self.questions])
        self.prompts = [[begin, *ids[-room:]] for ids in told]
        self._asked = [[begin, *ids[-(context - ANSWER - 1) :]] for ids in asked]
        # People write more than a model is asked for: as many tokens of theirs are compared.
        theirs = encode(tokenizer, [after for _, after in stories])
        self._human = [tokenizer.decode(ids[: self.decoding.length]) for ids in theirs]
        self.human = self.measures(self._human)

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        told = sum(len(prompt) + self.decoding.length for prompt in self.prompts)
        return told + sum(len(prompt) + ANSWER for prompt in self._asked)

    def texts(self, view: ModelView) -> list[str]:
        """Return what a model writes after each beginning."""
        return self._decoded(view.continuations(self.prompts, self.decoding))

    def answers(self, view: ModelView) -> list[str]:
        """Return the next word that a model writes after each question, in small letters."""
        short = Decoding(ANSWER, *self._how())
        texts = self._decoded(view.continuations(self._asked, short)) if self._asked else []
        words = [re.findall(r"[^\W\d_]+", text.lower()) for text in texts]
        return [found[0] if found else "" for found in words]

    def measures(self, texts: Sequence[str]) -> dict[str, list[float]]:
        """Return repetition and entity measures of a continuation of each beginning."""
        words = [re.findall(r"[^\W_]+", text.lower()) for text in texts]
        found = {f"distinct{n}": [distinct(w, n) for w in words] for n in (1, 2, 3)}
        found["repeated4"] = [repeated(w, 4) for w in words]
        found["loop"] = [float(ends_in_loop(w)) for w in words]
        found["known_names"] = [
            known_share(begun, text) for (begun, _), text in zip(self.stories, texts, strict=True)
        ]
        return found

    def grid_distance(self, texts: Sequence[str]) -> float:
        """Return the distance of entity-grid transitions to those of the human continuations."""
        both = [
            transitions([f"{begun} {t}" for (begun, _), t in zip(self.stories, own, strict=True)])
            for own in (texts, self._human)
        ]
        return js_distance(*both)

    def _how(self) -> tuple[float, float, int]:
        return self.decoding.temperature, self.decoding.top_p, self.decoding.seed

    def _decoded(self, drawn: Sequence[Sequence[int]]) -> list[str]:
        end = self._tokenizer.eos_token_id
        begin = begin_token(self._tokenizer)
        texts = []
        for ids in drawn:
            kept = list(ids)
            for stop in (end, begin):  # what follows is another text
                kept = kept[: kept.index(stop)] if stop in kept else kept
            texts.append(self._tokenizer.decode(kept))
        return texts


def _cost(items: GenerationItems) -> int:
    return items.cost


@probe(name="generation", level=Level.NARRATIVE, unit="fraction", cost=_cost)
def generation(view: ModelView, items: GenerationItems) -> Iterable[Reading]:
    """Repetition, entities and contradictions in what the model writes.

    ``contradiction`` is the share of questions whose next word is one that the text excludes,
    ``consistent`` the share whose next word is the right one; the rest is neither. ``grid`` is the
    Jensen-Shannon distance between entity-grid transitions of model and human continuations.
    """
    texts = items.texts(view)
    for name, values in items.measures(texts).items():
        kept = [value for value in values if np.isfinite(value)]
        if kept:
            yield mean_reading(
                f"generation.{name}.share", kept, level=Level.NARRATIVE, unit="fraction"
            )
    yield Reading(
        metric="generation.grid.distance",
        value=items.grid_distance(texts),
        n=len(texts),
        unit="distance",
        level=Level.NARRATIVE,
    )
    if items.questions:
        words = items.answers(view)
        right = [q.region.split()[0].strip(".") for q in items.questions]
        wrong = [wrong_answers(q) for q in items.questions]
        for name, hits in (
            ("consistent", [w == r for w, r in zip(words, right, strict=True)]),
            ("contradiction", [w in own for w, own in zip(words, wrong, strict=True)]),
        ):
            yield mean_reading(
                f"generation.{name}.share",
                np.array(hits, dtype=np.float64),
                level=Level.NARRATIVE,
                unit="fraction",
            )
