"""Multiple choice of any kind: options after one question, schemas, whole minimal pairs.

Scoring is that of lm-eval: the option with the largest sum of log-probabilities is chosen, or the
largest sum per character (``acc_norm``). Options that tie share the point, where lm-eval takes the
first: accuracies are the same wherever nothing ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import Choice, MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.probes.readings import choice_readings, mean_reading, tie_aware_hit
from nucleate.probes.registry import Probe, get_probe, probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]

ALL = "all"
"""Group of every item, where there are several groups."""


class ChoiceItems:
    """Choices tokenised once.

    Args:
        items: Choices; a minimal pair is a choice between two texts that nothing comes before.
        tokenizer: Any `transformers` tokenizer.
        name: First part of the metric names.
        level: What the items speak about.
        context: Longest sequence, in tokens.
        groups: Places of the items that are reported together, by name; where None, the items of
            each condition, and all. A group without items is not reported.
        normalise: Whether options differ in length in a way that matters: adds ``acc_norm`` and
            the Brier score.

    Attributes:
        requests: What is asked.

    Raises:
        DataError: There are no items, or one of them cannot be asked.
    """

    def __init__(
        self,
        items: Sequence[Choice | MinimalPair],
        tokenizer: Any,
        *,
        name: str = "choice",
        level: Level = Level.SEMANTICS,
        context: int = 2048,
        groups: Mapping[str, Sequence[int]] | None = None,
        normalise: bool = True,
    ) -> None:
        if not items:
            raise DataError("no items", where=f"ChoiceItems({name})")
        self.name, self.level, self.normalise = name, level, normalise
        choices = [_choice(item) for item in items]
        self.requests = Requests(
            [side for choice in choices for side in choice.candidates], tokenizer, context=context
        )
        self._gold = [choice.gold for choice in choices]
        self._ends = np.cumsum([len(choice.candidates) for choice in choices])
        self._characters = [
            np.array([max(1, len(text.removeprefix(" "))) for _, text in choice.candidates])
            for choice in choices
        ]
        self.clusters = np.array(
            [c.document if c.document >= 0 else -1 - number for number, c in enumerate(choices)]
        )
        self.groups = dict(groups or conditions([choice.condition for choice in choices]))

    @classmethod
    def of(cls, items: ItemSet, tokenizer: Any, **settings: Any) -> ChoiceItems:
        """Take name, level and items from a set."""
        chosen = [item for item in items.items if isinstance(item, Choice | MinimalPair)]
        return cls(chosen, tokenizer, name=items.name, level=items.level, **settings)

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        return self.requests.cost

    def options(self, view: ModelView) -> list[Floats]:
        """Return the log-probabilities (nats) of each item's options, the right one first."""
        rows = np.split(self.requests.score(view).log_prob, self._ends[:-1])
        return [_gold_first(row, gold) for row, gold in zip(rows, self._gold, strict=True)]

    def characters(self) -> list[NDArray[np.int64]]:
        """Return the characters of each item's options, in the same order."""
        return [
            _gold_first(row, gold) for row, gold in zip(self._characters, self._gold, strict=True)
        ]


def conditions(names: Sequence[str]) -> dict[str, list[int]]:
    """Group places by condition; more than one condition adds the group `ALL`."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    if len(groups) > 1:
        unnamed = groups.pop("", [])
        groups = {**groups, **({"other": unnamed} if unnamed else {}), ALL: list(range(len(names)))}
    return groups


def choice_probe(items: ChoiceItems) -> Probe:
    """Return the probe `choice` under the name and level of a set."""
    return named("choice", items.name, items.level)


def named(base: str, name: str, level: Level) -> Probe:
    """Return a registered probe under another name and level."""
    found = get_probe(base)
    return Probe(name, level, found.unit, found.cost, found.measure)


def brier(options: Floats) -> float:
    """Return Σ (p - right)² over the options, p being their softmax; the right one is the first.

    0 is perfect, 1 - 1/k is knowing nothing about k options.
    """
    p = np.exp(options - np.logaddexp.reduce(options))
    p[0] -= 1.0
    return float((p**2).sum())


def _cost(items: ChoiceItems) -> int:
    return items.cost


@probe(name="choice", level=Level.SEMANTICS, unit="nats", cost=_cost)
def choice(view: ModelView, items: ChoiceItems) -> Iterable[Reading]:
    """Accuracy and margin by group; where lengths matter also acc_norm and the Brier score."""
    options, characters = items.options(view), items.characters()
    for group, places in items.groups.items():
        if not len(places):
            continue
        stem = f"{items.name}.{group}" if group else items.name
        own, clusters = [options[place] for place in places], items.clusters[list(places)].tolist()
        yield from choice_readings(stem, own, level=items.level, clusters=clusters)
        if items.normalise:
            sizes = [characters[place] for place in places]
            yield from _normalised(stem, own, sizes, items.level, clusters)


def _normalised(
    stem: str,
    options: Sequence[Floats],
    sizes: Sequence[NDArray[np.int64]],
    level: Level,
    clusters: Sequence[int],
) -> Iterable[Reading]:
    hits = [tie_aware_hit(row / size) for row, size in zip(options, sizes, strict=True)]
    chance = float(np.mean([1 / len(row) for row in options]))
    yield mean_reading(
        f"{stem}.acc_norm", hits, level=level, unit="fraction", chance=chance, clusters=clusters
    )
    with np.errstate(invalid="ignore"):  # a diverged model gives NaN, which stays NaN
        scores = [brier(row) for row in options]
    yield mean_reading(
        f"{stem}.brier", scores, level=level, unit="score", chance=1 - chance, clusters=clusters
    )


def _choice(item: Choice | MinimalPair) -> Choice:
    if isinstance(item, Choice):
        return item
    return Choice((("", item.good), ("", item.bad)), 0, item.condition, item.document)


def _gold_first(row: NDArray[Any], gold: int) -> NDArray[Any]:
    return np.concatenate([row[gold : gold + 1], np.delete(row, gold)])
