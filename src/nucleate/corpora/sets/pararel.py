"""ParaRel: facts of Wikidata asked in several phrasings (Elazar et al. 2021).

Only phrasings that end with the object can be asked of a model that reads from left to right. The
candidates of a fact are objects of the same relation that are not true of its subject.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nucleate.corpora.sets.rows import Row

FOILS = 9
"""Wrong objects that stand against the right one."""

PHRASINGS = 3
"""Most phrasings that one fact is asked in."""

NOBODY = "it"
"""Stands for the subject where the prompt alone is asked."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, ready to be asked.

    Attributes:
        relation: Wikidata's name of the relation (``P103``).
        subject: Whom the fact is about.
        objects: The right object first, then its foils.
        prompts: Texts about the subject that end where the object stands, one per phrasing.
        bare: The same texts about nobody in particular: what they suggest by themselves is the
            prior of the prompt.
    """

    relation: str
    subject: str
    objects: tuple[str, ...]
    prompts: tuple[str, ...]
    bare: tuple[str, ...]


def read_facts(
    rows: Iterable[Row], *, per_relation: int | None = None, seed: int = 0
) -> list[Fact]:
    """Return facts by relation.

    Args:
        rows: ``{"relation", "patterns", "facts": [[subject, object], …]}`` of each relation.
        per_relation: A seeded choice of at most so many facts of each relation (all when None).
        seed: Seed of that choice and of the foils.
    """
    facts: list[Fact] = []
    for row in rows:
        relation = str(row["relation"])
        phrasings = [p for p in map(prompt_of, row["patterns"]) if p][:PHRASINGS]
        told = dict.fromkeys((str(s), str(o)) for s, o in row["facts"])
        pairs = [(s, o) for s, o in told if o.lower() not in s.lower()]
        true: dict[str, set[str]] = {}
        for subject, right in told:
            true.setdefault(subject, set()).add(right)
        known = sorted({right for _, right in told})
        rng = random.Random(f"pararel-{seed}-{relation}")
        size = len(pairs) if per_relation is None else min(per_relation, len(pairs))
        for subject, right in rng.sample(pairs, size) if phrasings else ():
            wrong = [name for name in known if name not in true[subject]]
            foils = rng.sample(wrong, min(FOILS, len(wrong)))
            if foils:
                facts.append(_fact(relation, subject, (right, *foils), phrasings))
    return facts


def _fact(relation: str, subject: str, objects: tuple[str, ...], phrasings: Sequence[str]) -> Fact:
    return Fact(
        relation,
        subject,
        objects,
        tuple(p.replace("[X]", subject) for p in phrasings),
        tuple(_without_subject(p) for p in phrasings),
    )


def prompt_of(pattern: str) -> str:
    """Return what stands before the object, empty where the subject comes after it.

    >>> prompt_of("The native language of [X] is [Y].")
    'The native language of [X] is'
    >>> prompt_of("[Y] is the native language of [X].")
    ''
    """
    before, found, after = pattern.partition("[Y]")
    return before.rstrip() if found and "[X]" in before and "[X]" not in after else ""


def _without_subject(prompt: str) -> str:
    return prompt.replace("[X]", NOBODY.capitalize() if prompt.startswith("[X]") else NOBODY)


def count_names(names: Iterable[str], texts: Iterable[str]) -> dict[str, int]:
    """Count how often each name occurs in some texts, as whole words, case as written.

    Names of up to six words are found; longer ones count as never seen.
    """
    parts = {name: tuple(_words(name)) for name in set(names)}
    by_words: dict[tuple[str, ...], int] = {words: 0 for words in parts.values() if words}
    lengths = sorted({len(words) for words in by_words if len(words) <= 6})
    for text in texts:
        words = _words(text)
        for length in lengths:
            for start in range(len(words) - length + 1):
                key = tuple(words[start : start + length])
                if key in by_words:
                    by_words[key] += 1
    return {name: by_words.get(words, 0) for name, words in parts.items()}


def _words(text: str) -> list[str]:
    return [word for word in (raw.strip(".,;:!?\"'()[]“”‘’") for raw in text.split()) if word]
