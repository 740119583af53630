"""Which heads have which role, and since when: what the report says of a run's heads.

The claims are those that were kept with the readings (attention and ablation agree, see
docs/mechanism.md); when a head's score rose is judged by the detector, on that head's own curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from nucleate.core import Curve, Level
from nucleate.core.heads import HeadScores, label
from nucleate.store.heads import HeadHistory, since
from nucleate.views.analysis import assessed
from nucleate.views.headdata import head_data
from nucleate.views.headmap import head_map
from nucleate.views.panels import Family, panel
from nucleate.views.rows import VerdictRow, by_metric, verdict_rows

if TYPE_CHECKING:
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

CACHE = "heads.json"
"""Assessments of the curves of heads, in the run folder; may be deleted."""

LISTED = 3
"""Heads of one role that are listed; more are counted."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that a head has at the last look.

    Attributes:
        role, head: What it does, and its label.
        score, score_error: Its score in `unit`, and 1.96 standard errors of it.
        effect, effect_error: What its behaviour loses when it is ablated, in nats; likewise.
        before, since: It took the role between these looks, in tokens, and has it ever since;
            `before` is NaN where it had the role at the first look already.
        first: The first look at which it had the role; before `since` where it lost it again.
        looks: At how many looks it had the role.
        row: What the detector says of its score over tokens.
    """

    role: str
    head: str
    score: float
    score_error: float
    effect: float
    effect_error: float
    unit: str
    before: float
    since: float
    first: float
    looks: int
    row: VerdictRow | None

    @property
    def doubt(self) -> str:
        """Why the curve gives the role no date; empty where it rose sharply."""
        if self.row is None or self.row.unexplained or self.row.amplitude < 0:
            return "the detector does not date its rise"
        return "" if self.row.sharp else "not sharp: no single date"


@dataclass(frozen=True, slots=True)
class HeadStory:
    """What a run's heads do at its last look.

    Attributes:
        held: Roles that heads have, the leading head of each first.
        more: How many heads of a role are not listed.
        vacant: Roles that were judged and that no head has.
        tokens: Where the last look was taken.
        looks: How many there were.
        maps: For each role that is held, its scores over layers and heads.
        panels: For each role that is held, score and ablation of its leading head over tokens.
        damaged: Looks whose file is missing or damaged.
        data: Everything that a reader may move through, as JSON; empty where that is too much.
    """

    held: tuple[HeldRole, ...]
    more: dict[str, int]
    vacant: tuple[str, ...]
    tokens: int
    looks: int
    maps: dict[str, Markup]
    panels: dict[str, Markup]
    damaged: int
    data: str = ""


def head_story(run: Run, found: Analysis) -> HeadStory | None:
    """Return what is to be said of a run's heads; None where they were never looked at.

    Args:
        run: The run folder.
        found: Its analysis; only its name, status and axis are used.
    """
    history = run.heads()
    if not history.tables:
        return None
    last = history.tables[-1]
    leading = {role: last.holders(role) for role in last.asked}
    listed = [(role, head) for role, heads in leading.items() for head in heads[:LISTED]]
    curves = {
        curve.metric: curve for role, head in listed for curve in _curves(history, role, head)
    }
    shown = replace(found, curves=curves, assessments=assessed(curves, run.path / CACHE))
    first = by_metric(verdict_rows(shown))
    held = {role: heads for role, heads in leading.items() if heads}
    return HeadStory(
        held=tuple(_held(history, role, head, first) for role, head in listed),
        more={role: len(heads) - LISTED for role, heads in held.items() if len(heads) > LISTED},
        vacant=tuple(role for role, heads in leading.items() if not heads),
        tokens=history.steps[-1].tokens,
        looks=len(history.steps),
        maps={role: head_map(last, role) for role in held},
        panels={role: _panel(shown, role, heads[0]) for role, heads in held.items()},
        damaged=len(history.damaged),
        data=head_data(history, found.axis),
    )


def _held(history: HeadHistory, role: str, head: str, first: Mapping[str, VerdictRow]) -> HeldRole:
    last = history.tables[-1]
    score, effect = (last.scores[name] for name in last.asked[role])
    before, begun = since(history, role, head)
    had = [head in holders for holders in history.holders(role)]
    return HeldRole(
        role,
        head,
        *_of(score, head),
        *_of(effect, head),
        score.unit,
        before,
        begun,
        float(history.steps[had.index(True)].tokens),
        sum(had),
        first.get(_metrics(role, head, score.unit)[0]),
    )


def _of(scores: HeadScores, head: str) -> tuple[float, float]:
    """Return the score of one head and 1.96 standard errors of it."""
    place = _place(scores, head)
    if place is None:
        return math.nan, math.nan
    return float(scores.values_LH[place]), 1.96 * float(scores.se_LH[place])


def _place(scores: HeadScores, head: str) -> tuple[int, int] | None:
    layers, heads = scores.values_LH.shape
    return next(
        ((i, j) for i in range(layers) for j in range(heads) if label(i, j) == head),
        None,
    )


def _metrics(role: str, head: str, unit: str) -> tuple[str, str]:
    """Return what the two curves of a head are called; the last part is the measure."""
    stem = f"{role}.{head}"
    return f"{stem}.{'attention' if unit == 'fraction' else 'score'}", f"{stem}.lost without it"


def _curves(history: HeadHistory, role: str, head: str) -> Iterator[Curve]:
    """Yield the score of a head over tokens, and what is lost without it."""
    names = history.tables[-1].asked[role]
    unit = history.tables[-1].scores[names[0]].unit
    for name, metric in zip(names, _metrics(role, head, unit), strict=True):
        scores = history.tables[-1].scores[name]
        place = _place(scores, head)
        assert place is not None
        values_T = history.values(name)[:, place[0], place[1]]
        se_T = history.se(name)[:, place[0], place[1]]
        keep = np.flatnonzero(np.isfinite(values_T))
        yield Curve(
            metric=metric,
            level=Level.MECHANISM,
            unit=scores.unit,
            chance=scores.chance,
            steps=tuple(history.steps[i] for i in keep),
            values=tuple(values_T[keep].tolist()),
            se=tuple(se_T[keep].tolist()),
            counts=(scores.n,) * len(keep),
        )


def _panel(shown: Analysis, role: str, head: str) -> Markup:
    metrics = tuple(m for m in shown.curves if m.startswith(f"{role}.{head}."))
    return panel(shown, Family(f"{role}.{head}", f"{role}: {head}", "mechanism", metrics))
