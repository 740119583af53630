"""One score out of many kinds of choices: every kind corrected for chance, then averaged.

For a kind k with items i, accuracy a_i and chance c_i: r_k = mean (a_i - c_i) / (1 - c_i), which is
0 for a reader who knows nothing and 1 for one who is always right. Kinds form groups; a group is
the mean of its kinds, and the score 100 times the mean of the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.probes.readings import tie_aware_hit

Floats = NDArray[np.float64]


class Choices(Protocol):
    """Items that can be asked for the log-probabilities of their options, the right one first.

    They belong to other probes of the suite, so that the score itself costs nothing.
    """

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Number of each item's document; a negative one is the item's own."""

    def options(self, view: Any) -> list[Floats]:
        """Return the log-probabilities (nats) of each item's options."""


@dataclass(frozen=True)
class Kind:
    """Items of one kind; kinds of one group count as one."""

    name: str
    group: str
    choices: Choices


@dataclass(frozen=True)
class Outcomes:
    """Scores of all items of a composite, for one model.

    Attributes:
        hits: (accuracy - chance) / (1 - chance) of each item, shape ``(n,)``.
        trust: The same of the probability given to the right option among its options.
        weights: Of each item in the score; they add up to 1.
        clusters: Number of each item's document; items of one document are not independent.
        kinds: Which kind each item is of.
    """

    hits: Floats
    trust: Floats
    weights: Floats
    clusters: NDArray[np.int64]
    kinds: NDArray[np.int64]


class Composite:
    """Kinds of choices that make one score.

    Args:
        name: First part of the metric names.
        level: What the score speaks about.
        kinds: At least one, each with items.

    Raises:
        DataError: There is no kind, or one has no items.
    """

    def __init__(self, name: str, level: Level, kinds: Sequence[Kind]) -> None:
        empty = [kind.name for kind in kinds if not len(kind.choices.clusters)]
        if not kinds or empty:
            raise DataError("kind without items", where=name, got=", ".join(empty) or "no kinds")
        self.name, self.level, self.kinds = name, level, tuple(kinds)
        groups = [kind.group for kind in kinds]
        self.groups = tuple(dict.fromkeys(groups))
        self._share = [1 / len(self.groups) / groups.count(group) for group in groups]
        self._clusters = self._documents()

    def outcomes(self, view: Any) -> Outcomes:
        """Ask a model about every item."""
        hits, trust, weights, kinds = [], [], [], []
        for number, (kind, share) in enumerate(zip(self.kinds, self._share, strict=True)):
            options = kind.choices.options(view)
            chance = np.array([1 / len(row) for row in options])
            hits.append((np.array([tie_aware_hit(row) for row in options]) - chance) / (1 - chance))
            trust.append((np.array([_probability(row) for row in options]) - chance) / (1 - chance))
            weights.append(np.full(len(options), share / len(options)))
            kinds.append(np.full(len(options), number))
        return Outcomes(
            np.concatenate(hits),
            np.concatenate(trust),
            np.concatenate(weights),
            self._clusters,
            np.concatenate(kinds),
        )

    def by_group(self, found: Outcomes, values: Floats) -> dict[str, float]:
        """Return the mean of each group, of hits or of trust."""
        weighted = np.bincount(found.kinds, found.weights * values, minlength=len(self.kinds))
        parts = dict.fromkeys(self.groups, 0.0)
        for kind, part in zip(self.kinds, weighted, strict=True):
            parts[kind.group] += float(part) * len(self.groups)
        return parts

    def _documents(self) -> NDArray[np.int64]:
        """Number the documents through; what has none of its own is shared with no other kind."""
        known: dict[tuple[str, int], int] = {}
        keys = [
            ("" if document >= 0 else kind.name, int(document))
            for kind in self.kinds
            for document in kind.choices.clusters
        ]
        return np.array([known.setdefault(key, len(known)) for key in keys])


def score_of(found: Outcomes, values: Floats) -> tuple[float, float]:
    """Return the weighted mean of items, and its standard error over documents."""
    value = float(found.weights @ values)
    means = np.bincount(found.kinds, values) / np.bincount(found.kinds)
    parts = np.bincount(found.clusters, found.weights * (values - means[found.kinds]))
    groups = len(parts)
    spread = (parts**2).sum() * groups / (groups - 1) if groups > 1 else np.nan
    return value, float(np.sqrt(spread))


def score_readings(composite: Composite, view: Any) -> list[Reading]:
    """Return the score (0 to 100), its unclipped fraction, its continuous companion, its groups.

    ``NAME.accuracy`` is the score as a fraction, not clipped, with chance 0; ``NAME.margin`` has
    probabilities in the place of hits; ``NAME.score`` is 100 times the first, between 0 and 100.
    """
    found = composite.outcomes(view)
    name, level, n = composite.name, composite.level, len(found.hits)
    hits, hits_se = score_of(found, found.hits)
    trust, trust_se = score_of(found, found.trust)
    points = float(np.clip(100 * hits, 0, 100))
    each, sure = tuple(found.hits.tolist()), tuple(found.trust.tolist())
    readings = [
        Reading(f"{name}.score", points, 100 * hits_se, n, 0.0, "points", level),
        Reading(f"{name}.accuracy", hits, hits_se, n, 0.0, "fraction", level, each),
        Reading(f"{name}.margin", trust, trust_se, n, 0.0, "probability", level, sure),
    ]
    own = composite.by_group(found, found.hits)
    readings += [
        Reading(f"{name}.{group}.part", 100 * value, float("nan"), n, 0.0, "points", level)
        for group, value in own.items()
    ]
    return readings


def _probability(options: Floats) -> float:
    with np.errstate(invalid="ignore"):  # a diverged model gives NaN, which stays NaN
        return float(np.exp(options[0] - np.logaddexp.reduce(options)))
