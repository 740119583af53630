"""Coherence against truth, 2 × 2: does a model follow the context, the world, or both?

For the answers t (true) and f (false) after the contexts T (which says t) and F (which says f):

    coherence = [log p(t|T) + log p(f|F) - log p(f|T) - log p(t|F)] / 2
    world     = [log p(t|T) + log p(t|F) - log p(f|T) - log p(f|F)] / 2

The four cells are told one by one and never averaged: a model that repeats its context is right
in the first sense and wrong in the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.narrative.truth import TruthItem
from nucleate.probes.readings import mean_reading, pair_readings
from nucleate.probes.registry import probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView


class TruthItems:
    """Items tokenised once.

    Args:
        items: See `corpora.narrative.truth`.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens.

    Raises:
        DataError: There are no items.
    """

    def __init__(self, items: Sequence[TruthItem], tokenizer: Any, *, context: int = 2048) -> None:
        if not items:
            raise DataError("no items", where="TruthItems")
        self.items = tuple(items)
        asked = [
            (before, f" {answer}.")
            for item in items
            for before in (item.true_context, item.false_context)
            for answer in (item.true, item.false)
        ]
        self.requests = Requests(asked, tokenizer, context=context)
        self.conditions = np.array([item.condition for item in items])
        self.clusters = np.array(
            [item.document if item.document >= 0 else -1 - n for n, item in enumerate(items)]
        )


def _cost(items: TruthItems) -> int:
    return items.requests.cost


CELLS = (
    ("coherent_true", 0),
    ("incoherent_false", 1),
    ("incoherent_true", 2),
    ("coherent_false", 3),
)
"""Answer t or f after T, then after F."""


@probe(name="truth", level=Level.TRUTH, unit="nats", cost=_cost)
def truth(view: ModelView, items: TruthItems) -> Iterable[Reading]:
    """Effects of context and world, their interaction, both choices, and the four cells.

    ``after_true`` and ``after_false`` choose the context's answer in each context: the second is
    "coherent but false". The interaction is how much likelier both answers are after the true
    context, half of log p(t|T) + log p(f|T) - log p(t|F) - log p(f|F).
    """
    log_prob = items.requests.score(view).log_prob.reshape(-1, 4)
    for condition in dict.fromkeys(items.conditions.tolist()):
        own = items.conditions == condition
        cell, clusters = log_prob[own], items.clusters[own]
        stem = f"truth.{condition}" if condition else "truth"
        for name, values in (
            ("world", (cell[:, 0] + cell[:, 2] - cell[:, 1] - cell[:, 3]) / 2),
            ("coherence", (cell[:, 0] + cell[:, 3] - cell[:, 1] - cell[:, 2]) / 2),
            ("after_true", cell[:, 0] - cell[:, 1]),
            ("after_false", cell[:, 3] - cell[:, 2]),
        ):
            yield from pair_readings(f"{stem}.{name}", values, level=Level.TRUTH, clusters=clusters)
        told = [(f"cell.{name}", cell[:, place]) for name, place in CELLS]
        told.append(("interaction", (cell[:, :2].sum(1) - cell[:, 2:].sum(1)) / 2))
        for name, values in told:
            yield mean_reading(
                f"{stem}.{name}.log_prob",
                values,
                level=Level.TRUTH,
                unit="nats",
                clusters=clusters,
            )
