"""Entity state: who is where now, and who has what now, by distance since it last changed.

Each slot has one foil that was mentioned too. Where the last mention is right (``near``) the foil
is another one; where it is wrong (``far``) the foil is that last mention. The overall score is the
mean of both conditions, so that answering with the last mention earns exactly chance, one half.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nucleate.core import Level, Reading
from nucleate.probes.behaviour.slots import Answered, SlotItems, forward_tokens
from nucleate.probes.readings import choice_readings, standard_error
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

DISTANCES = (("d1_12", 1, 12), ("d13_30", 13, 30), ("d31_up", 31, 10**6))
"""Bins of words since the state last changed: name, first, last."""


@probe(name="state", level=Level.NARRATIVE, unit="nats", cost=forward_tokens)
def state(view: ModelView, items: SlotItems) -> Iterable[Reading]:
    """Where a character is (``where``) and who holds a thing (``holder``)."""
    for kind in ("where", "holder"):
        near, far = items.ask(view, kind, "near"), items.ask(view, kind, "far")
        yield from _readings(f"state.{kind}_near", near)
        yield from _readings(f"state.{kind}_far", far)
        yield from _balanced(f"state.{kind}", near, far)
    where = items.ask(view, "where", "far")
    for name, first, last in DISTANCES:
        inside = [item for item in where if first <= item.slot.distance <= last]
        yield from _readings(f"state.where_far_{name}", inside)


def _readings(stem: str, answered: list[Answered]) -> Iterable[Reading]:
    yield from choice_readings(
        stem,
        [item.options for item in answered],
        level=Level.NARRATIVE,
        clusters=[item.passage for item in answered],
    )


def _balanced(stem: str, near: list[Answered], far: list[Answered]) -> Iterable[Reading]:
    """Mean of the two conditions; slots of one story count as one in its standard error."""
    if not near or not far:
        return
    clusters = [item.passage for item in (*near, *far)]
    for one, other in zip(_readings("near", near), _readings("far", far), strict=True):
        # Each condition weighs one half; around their own means the scores of both average 0.
        n = one.n + other.n
        parts = [(np.array(r.items) - r.value) * n / (2 * r.n) for r in (one, other)]
        yield Reading(
            metric=f"{stem}.{one.metric.rsplit('.', 1)[-1]}",
            value=(one.value + other.value) / 2,
            se=standard_error(np.concatenate(parts), clusters),
            n=n,
            chance=(one.chance + other.chance) / 2,
            unit=one.unit,
            level=one.level,
            items=one.items + other.items,
        )
