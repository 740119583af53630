"""Endings: the one that belongs to a story, among those of others; StoryCloze and fables too."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from typing import Any

from nucleate.corpora.items import Choice
from nucleate.corpora.narrative.words import Fits
from nucleate.corpora.swaps import find_names
from nucleate.corpora.windows import Prose

OPTIONS = 4
_CONTEXT = (3, 10)
_LOOKED_AT = 24
_CAPITAL = re.compile(r"(?<=[^\W_] )[A-Z][^\W\d_]+|(?<=, )[A-Z][^\W\d_]+")
_LABELLED = re.compile(r"\n([A-Z])\. ")


def ending_choices(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[Choice]:
    """Make up to `number` choices between the last sentence of a story and those of three others.

    A foil names nobody whom the story does not name, so that a name alone never decides. Arguments
    as in `deletion.deletion_pairs`; a choice is its story's only one.
    """
    known = []
    for text in prose:
        run = text.runs[-1] if text.runs else []
        if len(run) > _CONTEXT[0]:
            named = find_names(text.text) & _words(run[-1]) | set(_CAPITAL.findall(run[-1]))
            known.append((text.document, run[:-1], run[-1], named))
    choices: list[Choice] = []
    for document, told, ending, _ in rng.sample(known, len(known)):
        present = _words(" ".join(told[-_CONTEXT[1] :]))
        foils = {
            other
            for name, _, other, named in known
            if name != document and named <= present and other != ending
        }
        few = rng.sample(sorted(foils), min(_LOOKED_AT, len(foils)))
        found = _with_context(told, ending, few, fits)
        if found:
            context, options = found
            rng.shuffle(options)
            sides = tuple((context, f" {option}") for option in options)
            choices.append(Choice(sides, options.index(ending), "story", document))
        if len(choices) == number:
            break
    return choices


def _with_context(
    told: list[str], ending: str, foils: list[str], fits: Fits
) -> tuple[str, list[str]] | None:
    """Return as many sentences before the ending as fit beside each option, and the options."""
    for size in range(min(_CONTEXT[1], len(told)), _CONTEXT[0] - 1, -1):
        context = told[-size:]
        if fits([*context, ending]):
            good = [foil for foil in foils if fits([*context, foil])][: OPTIONS - 1]
            if len(good) == OPTIONS - 1:
                return " ".join(context), [ending, *good]
    return None


def story_cloze(rows: Iterable[dict[str, Any]]) -> list[Choice]:
    """Return StoryCloze items (Mostafazadeh et al. 2016): four sentences, two endings.

    Args:
        rows: As published: ``InputSentence1`` to ``4``, ``RandomFifthSentenceQuiz1`` and ``2``,
            and ``AnswerRightEnding`` (1 or 2).
    """
    choices = []
    for row in rows:
        before = " ".join(str(row[f"InputSentence{n}"]).strip() for n in (1, 2, 3, 4))
        endings = [str(row[f"RandomFifthSentenceQuiz{n}"]).strip() for n in (1, 2)]
        gold = int(row["AnswerRightEnding"]) - 1
        choices.append(Choice(tuple((before, f" {end}") for end in endings), gold, "story_cloze"))
    return choices


def labelled_choices(rows: Iterable[dict[str, Any]], condition: str) -> list[Choice]:
    """Return questions whose options are listed under letters, asked for the texts instead.

    The list is taken out of the question: small models answer letters by their frequency. Rows
    without such a list are left out.

    Args:
        rows: ``{"query": text with lines "A. …", "gold": index}``, as llm-foundry lays out fables.
        condition: Of every choice.
    """
    choices = []
    for row in rows:
        before, *parts = _LABELLED.split(row["query"])
        options = [re.split(r"\n(?:Answer|A):", text)[0].strip() for text in parts[1::2]]
        gold = int(row["gold"])
        if len(options) < 2 or gold >= len(options) or not all(options):
            continue
        context = re.sub(r"\n(?:Choices|Options):\s*$", "", before.strip()) + "\nAnswer:"
        sides = tuple((context, f" {option}") for option in options)
        choices.append(Choice(sides, gold, condition))
    return choices


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text))
