"""What other processes do for the page: read large logs, judge curves. Nothing here draws."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core import Assessment, Curve, Decision, Event, LedgerEntry, Step, companion
from nucleate.store import Attempt
from nucleate.store.history import History
from nucleate.views.analysis import primary_metrics
from nucleate.views.page.columns import ColumnReader, log_size
from nucleate.views.page.thin import thinned

if TYPE_CHECKING:
    from nucleate.views.heads import HeadStory

OPEN = 2
"""Large logs that a reading process keeps in memory."""

_readers: dict[str, ColumnReader] = {}


@dataclass(frozen=True, slots=True)
class Look:
    """What has been read of a large log; see `Snapshot` for the fields."""

    share: float
    num_readings: int
    levels: Mapping[str, str]
    primary: Mapping[str, Curve]
    steps: tuple[Step, ...]
    losses: tuple[float, ...]
    ledger: tuple[LedgerEntry, ...]
    events: tuple[Event, ...]
    decisions: tuple[Decision, ...]
    attempts: tuple[Attempt, ...]
    last: Step | None
    ended: str | None
    damaged: int
    has_heads: bool


def be_polite() -> None:
    """Let training go first, and never outlive the server; called in each new process."""
    with suppress(OSError, AttributeError):
        os.nice(10)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    """End this process when the one that started it has ended, however that came."""
    wait([sentinel])
    os._exit(0)


def look(path: str, seconds: float, buckets: int, primary: Mapping[str, str]) -> Look:
    """Read a log for some seconds more and return what it says by now.

    Args:
        path: The run folder.
        seconds: How long to read at most.
        buckets: Buckets of the curves that are returned, see `thin`.
        primary: The manifest's primary metric of each level.
    """
    reader = _readers.pop(path, None) or ColumnReader(Path(path))
    _readers[path] = reader
    while len(_readers) > OPEN:
        _readers.pop(next(iter(_readers)))
    whole = reader.advance(seconds)
    share = 1.0 if whole else min(reader.position / max(log_size(Path(path)), 1), 0.999)
    return look_at(reader.history, share, buckets, primary, reader.damaged)


def look_at(
    history: History,
    share: float,
    buckets: int,
    primary: Mapping[str, str],
    damaged: int = 0,
) -> Look:
    """Return what a history says, with the curves that stand for a level."""
    from nucleate.views.page.snapshot import losses_of

    levels = history.readings.levels()
    names = tuple(levels)
    chosen = _primary(history, names, primary)
    steps, losses = losses_of(history)
    return Look(
        share=share,
        num_readings=history.readings.count(),
        levels={name: str(level) for name, level in levels.items()},
        primary={name: thinned(history.readings.curve(name), buckets) for name in chosen},
        steps=tuple(steps),
        losses=tuple(losses),
        ledger=tuple(history.ledger),
        events=tuple(history.events),
        decisions=tuple(history.decisions),
        attempts=tuple(history.attempts),
        last=history.last,
        ended=history.ended,
        damaged=damaged,
        has_heads=bool(history.heads),
    )


def fetch(path: str, metrics: Sequence[str], buckets: int) -> dict[str, Curve]:
    """Return curves of a log that `look` has read; those that are not known are left out."""
    reader = _readers.get(path)
    if reader is None:
        return {}
    return curves_of(reader.history, metrics, buckets)


def curves_of(history: History, metrics: Sequence[str], buckets: int) -> dict[str, Curve]:
    """Return thinned curves of a history; 0 buckets leave them whole."""
    known = set(history.readings.metrics())
    found = {name: history.readings.curve(name) for name in metrics if name in known}
    return {name: thinned(curve, buckets) if buckets else curve for name, curve in found.items()}


def judge_run(path: str) -> tuple[dict[str, Assessment], HeadStory | None]:
    """Judge every curve of a run, and of its heads, and keep the verdicts in the run folder."""
    from nucleate.store import Run
    from nucleate.views.analysis import analyse
    from nucleate.views.heads import head_story

    run = Run.open(path)
    found = analyse(run)
    return dict(found.assessments), head_story(run, found) if run.has_heads else None


def judge_curves(curves: Mapping[str, Curve]) -> dict[str, Assessment]:
    """Judge some curves as one family; nothing is kept."""
    from nucleate.views.analysis import assessed

    return assessed(curves, None)


def with_companions(metrics: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return metrics, and the continuous companions of accuracies that were measured too."""
    there = set(known)
    others = [other for name in metrics if (other := companion(name)) and other in there]
    return list(dict.fromkeys([*metrics, *others]))


def _primary(history: History, names: Sequence[str], chosen: Mapping[str, str]) -> list[str]:
    """Return the metrics that stand for the levels, and their companions."""
    sketch = {name: history.readings.curve(name) for name in _candidates(history, names, chosen)}
    return with_companions(list(primary_metrics(sketch, chosen).values()), names)


def _candidates(history: History, names: Sequence[str], chosen: Mapping[str, str]) -> list[str]:
    """Return metrics among which the primary ones are found without building every curve."""
    wanted = tuple(chosen.values())
    named = [n for n in names if n in wanted or n.rpartition(".")[0] in wanted]
    if named:
        return named
    levels = history.readings.levels()
    first: dict[tuple[str, bool], str] = {}
    for name in names:
        first.setdefault((str(levels[name]), name.endswith(".accuracy")), name)
    return sorted(first.values())
