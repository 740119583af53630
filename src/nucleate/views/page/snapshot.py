"""Everything the page shows of a run at one moment, with curves thin enough to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nucleate.core import Curve, Decision, Event, LedgerEntry, Step
from nucleate.store import Attempt, Manifest, Run
from nucleate.store.history import History
from nucleate.views.page.thin import kept, thinned

BUCKETS = 340
"""Buckets of a curve: one for each pixel of a small panel, three pixels of the widest chart."""

LOSS_BUCKETS = 10_000
"""Buckets of the training loss: so many that its smoothed line stays what it was."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        key: Its name on the page.
        stamp: Changes whenever anything below does.
        share: How much of the log has been read, 1 when all of it.
        num_readings: Readings so far; where only samples were read, of those.
        levels: Level of each metric in order, those without a curve here too.
        curves: By metric, thinned; all of a small run, the primary ones of a large one.
        steps, losses: Training loss, thinned.
        ended: What the log says of the end: ``finished``, ``interrupted``; None when nothing.
        has_heads: Whether arrays of all heads were recorded.
    """

    key: str
    path: Path
    stamp: str
    manifest: Manifest
    status: str
    last: Step
    share: float = 1.0
    large: bool = False
    num_readings: int = 0
    levels: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    losses: tuple[float, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    events: tuple[Event, ...] = ()
    decisions: tuple[Decision, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    ended: str | None = None
    damaged: int = 0
    has_heads: bool = False


def snapshot_of(key: str, run: Run, stamp: str) -> Snapshot:
    """Return a run that is small enough to be read as it is."""
    status = str(run.status)
    curves = run.curves()
    steps, losses = run.losses()
    steps, losses = thin_losses(steps, losses)
    reached = [run.last] if run.last else []
    reached += [curve.steps[-1] for curve in curves.values()]
    return Snapshot(
        key=key,
        path=run.path,
        stamp=stamp,
        manifest=run.manifest,
        status=status,
        last=max(reached, key=lambda step: step.tokens, default=Step(0, 0)),
        num_readings=sum(len(curve.steps) for curve in curves.values()),
        levels={metric: str(curve.level) for metric, curve in curves.items()},
        curves={metric: thinned(curve, BUCKETS) for metric, curve in curves.items()},
        steps=tuple(steps),
        losses=tuple(losses),
        ledger=tuple(run.ledger()),
        events=tuple(run.events()),
        decisions=tuple(run.decisions()),
        attempts=tuple(run.attempts()),
        ended=run.ended,
        damaged=run.damaged,
        has_heads=run.has_heads,
    )


def losses_of(history: History) -> tuple[list[Step], list[float]]:
    """Return the training loss of a history, thinned."""
    taken = history.losses
    return thin_losses([step for step, _, _ in taken], [loss for _, loss, _ in taken])


def thin_losses(steps: list[Step], losses: list[float]) -> tuple[list[Step], list[float]]:
    """Return the training loss with the points that show."""
    tokens = np.array([step.tokens for step in steps], dtype=np.float64)
    at = kept(tokens, np.array(losses, dtype=np.float64), LOSS_BUCKETS)
    return [steps[i] for i in at], [losses[i] for i in at]
