"""Facts of the world, by how often training tells them.

The margin is corrected for what the relation alone suggests: from the log-odds of the right object
against the others, their average over the prompts of all subjects is taken away, so that preferring
a frequent object earns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nucleate.core import Level, Reading
from nucleate.probes.behaviour.slots import Answered, SlotItems, forward_tokens
from nucleate.probes.readings import mean_reading, tie_aware_hit
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

BINS = ("common", "middle", "rare")


@probe(name="fact", level=Level.KNOWLEDGE, unit="nats", cost=forward_tokens)
def fact(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """Recall of the colour of a town's flag and of what it sells: accuracy and margin by bin."""
    answered = items.ask(view, "fact")
    margins = _prior_free_margins(answered)
    for name in BINS:
        chosen = [i for i, item in enumerate(answered) if item.slot.condition.endswith(name)]
        if not chosen:
            continue
        options = [answered[i].options for i in chosen]
        chance = float(np.mean([1 / len(scores) for scores in options]))
        yield mean_reading(
            f"fact.{name}.accuracy",
            [tie_aware_hit(scores) for scores in options],
            level=Level.KNOWLEDGE,
            unit="fraction",
            chance=chance,
        )
        yield mean_reading(
            f"fact.{name}.margin",
            [margins[i] for i in chosen],
            level=Level.KNOWLEDGE,
            unit="nats",
            chance=0.0,
        )


def _prior_free_margins(answered: list[Answered]) -> list[float]:
    """Log-odds of each right object minus the mean log-odds of that object in its relation."""
    by_relation: dict[str, list[dict[str, float]]] = {}
    for item in answered:
        by_relation.setdefault(_relation(item), []).append(_log_odds(item))
    prior = {
        relation: {word: float(np.mean([odds[word] for odds in rows])) for word in rows[0]}
        for relation, rows in by_relation.items()
    }
    return [
        _log_odds(item)[item.slot.answer] - prior[_relation(item)][item.slot.answer]
        for item in answered
    ]


def _relation(item: Answered) -> str:
    return item.slot.condition.split(".", 1)[0]


def _log_odds(item: Answered) -> dict[str, float]:
    """Log-odds of every object against all the others of its relation."""
    words = (item.slot.answer, *item.slot.foils)
    with np.errstate(invalid="ignore"):  # a diverged model gives NaN, which stays NaN
        scores = item.options - np.logaddexp.reduce(item.options)
        rest = np.log1p(-np.minimum(np.exp(scores), 1 - 1e-12))
    return dict(zip(words, (scores - rest).tolist(), strict=True))
