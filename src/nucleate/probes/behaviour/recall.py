"""Facts of the world in several phrasings, with what the phrasing alone suggests taken away.

For every candidate object o of a fact: s(o) = log p(o | prompt with the subject) and b(o) =
log p(o | the same prompt about nobody). s ranks what the model says, s - b what the subject adds:
a model that always prefers a frequent object earns nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.sets.pararel import Fact
from nucleate.probes.behaviour.choice import named
from nucleate.probes.readings import choice_readings, mean_reading
from nucleate.probes.registry import Probe, probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]

BINS = ("common", "rare", "unseen")
"""Bins of subjects: they occur in the corpus at least as often as the median of those that occur,
less often, or never."""


class RecallItems:
    """Facts tokenised once; the first phrasing answers for accuracy, all of them for consistency.

    Args:
        facts: Each with its phrasings and candidates.
        tokenizer: Any `transformers` tokenizer.
        name: First part of the metric names.
        context: Longest sequence, in tokens.
        counts: Occurrences of each subject in the training corpus, or in a sample of it; None
            where they are not known.

    Attributes:
        requests: What is asked.
        bins: Places of the facts by the frequency of their subject; empty without counts.

    Raises:
        DataError: There are no facts, or one of them cannot be asked.
    """

    def __init__(
        self,
        facts: Sequence[Fact],
        tokenizer: Any,
        *,
        name: str = "recall",
        context: int = 2048,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        if not facts:
            raise DataError("no facts", where=f"RecallItems({name})")
        self.name, self.facts = name, tuple(facts)
        asked = [
            (prompt, f" {candidate}")
            for fact in facts
            for prompt in (*fact.prompts, *fact.bare)
            for candidate in fact.objects
        ]
        self.requests = Requests(asked, tokenizer, context=context)
        self.bins = frequency_bins([fact.subject for fact in facts], counts) if counts else {}

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        return self.requests.cost

    def scores(self, view: ModelView) -> list[tuple[Floats, Floats]]:
        """Return s and b of each fact, both of shape ``(phrasings, candidates)``, in nats."""
        flat, start, out = self.requests.score(view).log_prob, 0, []
        for fact in self.facts:
            shape = (2, len(fact.prompts), len(fact.objects))
            told, bare = flat[start : start + int(np.prod(shape))].reshape(shape)
            start += told.size + bare.size
            out.append((told, bare))
        return out


def frequency_bins(subjects: Sequence[str], counts: Mapping[str, int]) -> dict[str, list[int]]:
    """Group places by how often the subject occurs; a bin without facts is left out."""
    seen = [counts.get(subject, 0) for subject in subjects]
    middle = float(np.median([count for count in seen if count] or [0]))
    groups: dict[str, list[int]] = {name: [] for name in BINS}
    for place, count in enumerate(seen):
        groups["unseen" if not count else "common" if count >= middle else "rare"].append(place)
    return {name: places for name, places in groups.items() if places}


def recall_probe(items: RecallItems) -> Probe:
    """Return the probe `recall` under the name of a set."""
    return named("recall", items.name, Level.KNOWLEDGE)


def _cost(items: RecallItems) -> int:
    return items.cost


@probe(name="recall", level=Level.KNOWLEDGE, unit="nats", cost=_cost)
def recall(view: ModelView, items: RecallItems) -> Iterable[Reading]:
    """Recall with and without the prompt's prior, rank, by frequency, and over phrasings.

    ``NAME.raw`` compares s, ``NAME.recall`` (and each frequency bin) s - b, both in the first
    phrasing. ``NAME.phrasings.agreement`` is the share of pairs of phrasings that choose the same
    object (Elazar et al. 2021), right or wrong: a model that always says the same scores 1.
    """
    scores, level = items.scores(view), Level.KNOWLEDGE
    raw = [told[0] for told, _ in scores]
    free = [told[0] - bare[0] for told, bare in scores]
    yield from choice_readings(f"{items.name}.raw", raw, level=level)
    yield from choice_readings(f"{items.name}.recall", free, level=level)
    for group, places in items.bins.items():
        stem = f"{items.name}.{group}"
        yield from choice_readings(stem, [free[place] for place in places], level=level)
    chance = float(np.mean([(len(row) + 1) / 2 for row in raw]))
    yield mean_reading(
        f"{items.name}.raw.rank",
        [rank(row) for row in raw],
        level=level,
        unit="rank",
        chance=chance,
    )
    several = [told for told, _ in scores if len(told) > 1]
    if several:
        yield from _phrasings(items.name, several)


def _phrasings(name: str, several: Sequence[Floats]) -> Iterable[Reading]:
    agree = [agreement(told) for told in several]
    sure = [
        float("nan") if np.isnan(told).any() else float((told.argmax(1) == 0).all())
        for told in several
    ]
    for measure, values in (("agreement", agree), ("all_right", sure)):
        metric = f"{name}.phrasings.{measure}"
        yield mean_reading(metric, values, level=Level.KNOWLEDGE, unit="fraction")


def rank(options: Floats) -> float:
    """Return the rank of the first option, 1 being best; ties share their ranks."""
    if np.isnan(options).any():
        return float("nan")
    return float(1 + (options > options[0]).sum() + ((options == options[0]).sum() - 1) / 2)


def agreement(told: Floats) -> float:
    """Return the share of pairs of rows (phrasings) that choose the same column (object)."""
    if np.isnan(told).any():
        return float("nan")
    votes, phrasings = np.bincount(told.argmax(1)), len(told)
    return float((votes * (votes - 1)).sum() / (phrasings * (phrasings - 1)))
