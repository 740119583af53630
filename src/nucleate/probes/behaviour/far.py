"""Far context: does what stood far back still make the next sentence likelier?"""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.core import Level, Reading
from nucleate.probes.behaviour.pairs import PairItems, by_condition
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


def _cost(items: PairItems) -> int:
    return items.plan.forward_tokens


@probe(name="far", level=Level.LONG_CONTEXT, unit="nats", cost=_cost)
def far(view: ModelView, items: PairItems) -> Iterable[Reading]:
    """A sentence after its own beginning and after a stranger's, the near context being the same.

    ``far.d64`` has at least 64 tokens between the exchanged part and the sentence.
    """
    yield from by_condition(view, items, "far", Level.LONG_CONTEXT)
