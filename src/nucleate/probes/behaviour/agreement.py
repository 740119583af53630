"""Subject-verb agreement, by what stands between subject and verb.

Conditions: ``simple`` (nothing), ``matched`` and ``attractor`` (a noun of the same or the other
number in a prepositional phrase), ``relative_matched`` and ``relative`` (the same inside an object
relative clause). A reader of the nearest noun is right on ``matched`` and wrong on ``attractor``;
only the latter speaks of syntax (Marvin and Linzen 2018; Michaelov and Arnett 2025).
"""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.core import Level, Reading
from nucleate.probes.behaviour.slots import SlotItems, forward_tokens
from nucleate.probes.readings import choice_readings
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

CONDITIONS = ("simple", "matched", "attractor", "relative_matched", "relative")


@probe(name="agreement", level=Level.SYNTAX, unit="nats", cost=forward_tokens)
def agreement(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """Right against wrong form of the verb: accuracy and margin per condition (chance 1/2)."""
    for condition in CONDITIONS:
        answered = items.ask(view, "agreement", condition)
        yield from choice_readings(
            f"agreement.{condition}",
            [item.options for item in answered],
            level=Level.SYNTAX,
            clusters=[item.passage for item in answered],
        )
