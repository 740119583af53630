"""Texts with one right continuation: is it what the model would write, and how likely is it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import Cloze
from nucleate.corpora.itemsets import ItemSet
from nucleate.probes.behaviour.choice import conditions, named
from nucleate.probes.readings import mean_reading, standard_error
from nucleate.probes.registry import Probe, probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]


class ClozeItems:
    """Clozes tokenised once.

    Args:
        items: Of one set.
        tokenizer: Any `transformers` tokenizer.
        name: First part of the metric names.
        level: What the items speak about.
        context: Longest sequence, in tokens.
        perplexity: Whether to give the perplexity too: of a single word it can be compared with
            what is published, of answers of any length it says nothing that log_prob does not.

    Attributes:
        requests: What is asked.
        groups: Places of the items that are reported together, by name.

    Raises:
        DataError: There are no items, or one of them cannot be asked.
    """

    def __init__(
        self,
        items: Sequence[Cloze],
        tokenizer: Any,
        *,
        name: str = "cloze",
        level: Level = Level.SEMANTICS,
        context: int = 2048,
        perplexity: bool = True,
    ) -> None:
        if not items:
            raise DataError("no items", where=f"ClozeItems({name})")
        self.name, self.level, self.perplexity = name, level, perplexity
        asked = [(item.context, item.continuation) for item in items]
        self.requests = Requests(asked, tokenizer, context=context)
        self.groups = conditions([item.condition for item in items])
        self.clusters = np.array(
            [item.document if item.document >= 0 else -1 - n for n, item in enumerate(items)]
        )

    @classmethod
    def of(cls, items: ItemSet, tokenizer: Any, **settings: Any) -> ClozeItems:
        """Take name, level and items from a set."""
        chosen = [item for item in items.items if isinstance(item, Cloze)]
        return cls(chosen, tokenizer, name=items.name, level=items.level, **settings)

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        return self.requests.cost


def cloze_probe(items: ClozeItems) -> Probe:
    """Return the probe `cloze` under the name and level of a set."""
    return named("cloze", items.name, items.level)


def log_odds(log_prob: Floats) -> Floats:
    """Return log p - log(1 - p): the right continuation against everything else, in nats."""
    with np.errstate(invalid="ignore"):  # a diverged model gives NaN, which stays NaN
        rest = -np.expm1(np.minimum(log_prob, -1e-12))
        return np.asarray(log_prob - np.log(rest))


def _cost(items: ClozeItems) -> int:
    return items.cost


@probe(name="cloze", level=Level.SEMANTICS, unit="nats", cost=_cost)
def cloze(view: ModelView, items: ClozeItems) -> Iterable[Reading]:
    """Greedy accuracy, log-odds, log-probability and perplexity of the continuation.

    Accuracy and perplexity (exp of the mean negative log-probability of a whole continuation) are
    those of lm-eval's LAMBADA. ``margin`` is log p - log(1 - p), the continuous companion of the
    accuracy.
    """
    scores = items.requests.score(view)
    for group, places in items.groups.items():
        stem = f"{items.name}.{group}" if group else items.name
        log_prob, clusters = scores.log_prob[places], items.clusters[places]
        hits = np.where(np.isnan(log_prob), np.nan, scores.greedy[places].astype(np.float64))
        for measure, values, unit, chance in (
            ("accuracy", hits, "fraction", 0.0),
            ("margin", log_odds(log_prob), "nats", float("nan")),
            ("log_prob", log_prob, "nats", float("nan")),
        ):
            yield mean_reading(
                f"{stem}.{measure}",
                values,
                level=items.level,
                unit=unit,
                chance=chance,
                clusters=clusters,
            )
        if items.perplexity:
            yield _perplexity(stem, log_prob, clusters, items.level)


def _perplexity(stem: str, log_prob: Floats, clusters: NDArray[np.int64], level: Level) -> Reading:
    """Return exp(mean negative log-probability); its error is carried over to first order."""
    with np.errstate(over="ignore"):
        value = float(np.exp(-log_prob.mean()))
    return Reading(
        metric=f"{stem}.perplexity",
        value=value,
        se=value * standard_error(log_prob, clusters),
        n=len(log_prob),
        unit="perplexity",
        level=level,
    )
