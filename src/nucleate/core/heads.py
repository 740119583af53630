"""What is known of every attention head of a model at one Step: scores, and the roles they claim.

Shape legend: L layers, H heads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nucleate.core.words import Level, Reading

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class HeadScores:
    """A score of every head of a model.

    Attributes:
        name: What is scored: ``induction``, ``agreement`` …
        values_LH: The scores.
        se_LH: Their standard errors over items (NaN when unknown).
        chance: Score of a head that attends evenly, or writes nothing.
        n: Number of items behind each score.
        unit: ``fraction`` of attention, ``nats`` …
    """

    name: str
    values_LH: Floats
    se_LH: Floats
    chance: float
    n: int
    unit: str = "fraction"

    @property
    def best(self) -> tuple[int, int]:
        """Layer and number of the head with the highest score."""
        layer, head = np.unravel_index(np.nanargmax(self.values_LH), self.values_LH.shape)
        return int(layer), int(head)

    def labelled(self) -> dict[str, float]:
        """Return the score of every head by its label, ``L0H0`` first."""
        return {label(*head): float(value) for head, value in np.ndenumerate(self.values_LH)}

    def readings(self, stem: str = "heads", *, each: bool = False) -> Iterable[Reading]:
        """Yield ``stem.name.max`` (the best head) and ``stem.name.mean`` (over all heads).

        The best of many heads lies above chance by luck alone, the more of them the higher; its
        standard error is that of one head and knows nothing of the choice.

        Args:
            stem: First part of the metric names.
            each: Yield ``stem.name.L0H3`` of every head too.
        """
        prefix = f"{stem}.{self.name}"
        if np.isnan(self.values_LH).all():
            yield self._reading(f"{prefix}.max", math.nan, math.nan)
            yield self._reading(f"{prefix}.mean", math.nan, math.nan)
            return
        yield self._reading(
            f"{prefix}.max", float(self.values_LH[self.best]), float(self.se_LH[self.best])
        )
        yield self._reading(f"{prefix}.mean", float(np.nanmean(self.values_LH)), math.nan)
        if each:
            for head, value in np.ndenumerate(self.values_LH):
                yield self._reading(
                    f"{prefix}.{label(*head)}", float(value), float(self.se_LH[head])
                )

    def _reading(self, metric: str, value: float, se: float) -> Reading:
        return Reading(metric, value, se, self.n, self.chance, self.unit, Level.MECHANISM)


def label(layer: int, head: int) -> str:
    """Return how a head is called: ``L0H3``."""
    return f"L{layer}H{head}"


def unlabel(name: str) -> tuple[int, int]:
    """Return layer and number of the head that is called ``L0H3``.

    Raises:
        ValueError: No head is called that.

    >>> unlabel("L2H10")
    (2, 10)
    """
    found = re.fullmatch(r"L(\d+)H(\d+)", name)
    if found is None:
        raise ValueError(f"{name!r} is no head; expected layer and number, as in L2H1")
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a head has.

    Attributes:
        head: Its label: ``L0H3``.
        role: What it does: ``induction``, ``entity link`` …
        score: What speaks for it in attention or attribution, in the score's unit.
        effect: What its behaviour loses when the head is ablated, in nats.
    """

    head: str
    role: str
    score: float
    effect: float


@dataclass(frozen=True, eq=False, slots=True)
class Example:
    """Where every head looks in one story, from the word before one that the story decides.

    Attributes:
        words: The story until there, as the model reads it.
        answer: The word that comes next.
        attention_LHT: Attention from the last word to each, shape ``(L, H, len(words))``.
    """

    words: tuple[str, ...]
    answer: str
    attention_LHT: Floats


@dataclass(frozen=True, eq=False, slots=True)
class HeadTable:
    """What was found out about every head at one Step.

    Attributes:
        scores: By name; what a behaviour loses by ablation is called ``ablation.NAME``.
        asked: For each role that could be judged, the names of its score and of its ablation.
        roles: Which heads have which role, by the rule in force when it was measured.
        example: Where they look in one story; None where the rows have no notes.
    """

    scores: Mapping[str, HeadScores] = field(default_factory=dict)
    asked: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()
    example: Example | None = None

    def joined(self, other: HeadTable) -> HeadTable:
        """Return this table with what another says beside it; the other holds where both speak."""
        return HeadTable(
            {**self.scores, **other.scores},
            {**self.asked, **other.asked},
            tuple(dict.fromkeys((*self.roles, *other.roles))),
            other.example or self.example,
        )

    def holders(self, role: str) -> tuple[str, ...]:
        """Return the heads that have a role, the highest score first."""
        held = [found for found in self.roles if found.role == role]
        return tuple(found.head for found in sorted(held, key=lambda found: -found.score))
