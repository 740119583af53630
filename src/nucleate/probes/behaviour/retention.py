"""Retention: how much of an ability is left when names, spelling or words are changed.

R = (m(perturbed) - chance) / (m(plain) - chance), for the accuracy m of the same pairs; it is not
defined where m(plain) lies within 3 standard errors of chance, and then it is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import ContextPair
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.readings import pair_readings, standard_error
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]
CHANCE = 0.5
PLAIN = "plain"


class RetentionItems:
    """The same pairs, plain and perturbed, tokenised once.

    Args:
        versions: Pairs by the name of their perturbation, in one order; `PLAIN` must be among them.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens.
        strengths: Of perturbations that come in several strengths: strength by name.

    Raises:
        DataError: The plain pairs are missing, or versions differ in length.
    """

    def __init__(
        self,
        versions: Mapping[str, Sequence[ContextPair]],
        tokenizer: Any,
        *,
        context: int = 2048,
        strengths: Mapping[str, float] | None = None,
    ) -> None:
        sizes = {name: len(pairs) for name, pairs in versions.items()}
        if not sizes.get(PLAIN) or len(set(sizes.values())) > 1:
            raise DataError("versions do not match", where="RetentionItems", got=sizes)
        self.versions = tuple(versions)
        self.strengths = dict(strengths or {})
        self._size = sizes[PLAIN]
        every = [pair for pairs in versions.values() for pair in pairs]
        self.pairs = PairItems(every, tokenizer, context=context)
        self.clusters = np.array(self.pairs.clusters[: self._size])

    def differences(self, view: ModelView) -> dict[str, Floats]:
        """Return log p(region | coherent) - log p(region | corrupted) of each version, in nats."""
        rows = self.pairs.differences(view).reshape(len(self.versions), self._size)
        return dict(zip(self.versions, rows, strict=True))


def _cost(items: RetentionItems) -> int:
    return items.pairs.plan.forward_tokens


@probe(name="robustness", level=Level.ROBUSTNESS, unit="nats", cost=_cost)
def robustness(view: ModelView, items: RetentionItems) -> Iterable[Reading]:
    """Accuracy, margin and retention of each version, the worst of all, and the area over strength.

    The worst counts a pair only if every version of it is right; its chance is taken to be one
    half all the same, so its retention can be negative. The area is the mean retention over
    strengths from 0 to the largest, by the trapezoid rule.
    """
    found = items.differences(view)
    level, clusters = Level.ROBUSTNESS, items.clusters
    plain = _hits(found[PLAIN])
    kept: dict[str, float] = {}
    worst = np.min(np.stack(list(found.values())), axis=0)
    for name, values in {**found, "worst": worst}.items():
        yield from pair_readings(f"robustness.{name}", values, level=level, clusters=clusters)
        if name != PLAIN:
            value, se = retention(_hits(values), plain, clusters)
            kept[name] = value
            yield _reading(f"robustness.{name}.retention", value, se, len(values))
    if items.strengths:
        at = [0.0, *items.strengths.values()]
        curve = [1.0, *(kept[name] for name in items.strengths)]
        area = float(np.trapezoid(curve, at)) / at[-1]
        yield _reading("robustness.strength.area", area, float("nan"), len(plain))


def retention(perturbed: Floats, plain: Floats, clusters: NDArray[Any]) -> tuple[float, float]:
    """Return R and its standard error (to first order, of paired items); NaN where undefined.

    Args:
        perturbed, plain: Hits of the same pairs, shape ``(n,)``.
        clusters: Which pairs stand in the same document, shape ``(n,)``.
    """
    above = float(plain.mean()) - CHANCE
    if not above > 3 * max(standard_error(plain, clusters), _guessing(len(plain))):
        return float("nan"), float("nan")
    value = (float(perturbed.mean()) - CHANCE) / above
    left_over = perturbed - value * plain
    return value, standard_error(left_over, clusters) / above


def _guessing(n: int) -> float:
    """Standard error of the accuracy of a guess: where all are right, the items show none."""
    return float(np.sqrt(CHANCE * (1 - CHANCE) / n))


def _hits(values: Floats) -> Floats:
    hits = np.where(values == 0, 0.5, (values > 0).astype(np.float64))
    hits[np.isnan(values)] = np.nan
    return hits


def _reading(metric: str, value: float, se: float, n: int) -> Reading:
    return Reading(metric, value, se, n, 0.0, "retention", Level.ROBUSTNESS)
