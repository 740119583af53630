"""Verdicts for the page: kept ones where there are some, else judged beside, never in its way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleate.core import Assessment, Curve, Verdict
from nucleate.views.labels import SHARP
from nucleate.views.page.snapshot import Snapshot

if TYPE_CHECKING:
    from nucleate.views.heads import HeadStory

AGAIN = 1.06
"""A growing run is judged again when its tokens have grown by this factor: forty times a decade."""

Assessments = Mapping[str, Assessment]
Judge = Callable[[Snapshot, bool], Awaitable[tuple[Assessments, "HeadStory | None"]]]


@dataclass(frozen=True, slots=True)
class Certainty:
    """What was said of a metric when so much had been read: one point of its course."""

    tokens: int
    verdict: Verdict
    at: float
    lo: float
    hi: float
    q: float


@dataclass
class Judgement:
    """What the detector has said of a run so far.

    Attributes:
        assessments: Its latest verdicts, by metric; empty before the first.
        heads: What was said of the heads with them.
        tokens: How much of the run they are about.
        serial: Grows with every new verdict.
        partial: Whether only the metrics that stand for a level were judged.
        working: Whether the detector is at it.
        failed: Why it could not judge, in words; empty when it could.
        course: How the verdict of each metric came to be, oldest first.
    """

    assessments: Assessments = field(default_factory=dict)
    heads: HeadStory | None = None
    tokens: int = 0
    serial: int = 0
    partial: bool = True
    working: bool = False
    failed: str = ""
    course: dict[str, list[Certainty]] = field(default_factory=dict)

    def take(
        self, assessments: Assessments, heads: HeadStory | None, tokens: int, *, partial: bool
    ) -> None:
        """Take in new verdicts; partial ones never replace whole ones."""
        if partial and not self.partial and self.assessments:
            assessments = {**self.assessments, **assessments}
            partial = False
        self.assessments, self.tokens, self.partial = assessments, tokens, partial
        self.heads = heads or self.heads
        self.serial += 1
        for metric, found in assessments.items():
            note(self.course.setdefault(metric, []), found, tokens)

    def due(self, snapshot: Snapshot) -> bool:
        """Tell whether there is more to judge than was judged."""
        if self.working or self.failed or snapshot.share < 1.0 or not snapshot.num_readings:
            return False
        if not self.assessments or (self.partial and not snapshot.large):
            return True
        grown = snapshot.last.tokens > AGAIN * max(self.tokens, 1)
        ended = snapshot.status != "running" and snapshot.last.tokens > self.tokens
        return grown or ended


def note(course: list[Certainty], found: Assessment, tokens: int) -> None:
    """Add to the course of a metric what is new about its verdict."""
    sharp = [change for change in found.transitions if change.verdict in SHARP]
    best = min(sharp, key=lambda change: change.evidence.p, default=None)
    q = best.evidence.q if best and best.evidence.q is not None else math.nan
    if best and best.evidence.q is None:
        q = best.evidence.p
    told = Certainty(
        tokens,
        best.verdict if best else found.verdict,
        best.at if best else found.at,
        best.lo if best else found.lo,
        best.hi if best else found.hi,
        q,
    )
    if course and course[-1].verdict is told.verdict:
        if not best:
            return
        if course[-1].tokens == tokens:  # the same readings, judged in a larger family
            course.pop()
    course.append(told)
    del course[:-24]


class Judging:
    """Keeps one Judgement for each run and starts the work that is due.

    Args:
        kept: Returns verdicts that the run folder keeps of exactly these readings, or None.
        judge: Judges a snapshot: only what stands for a level, or everything.
    """

    def __init__(
        self,
        kept: Callable[[Snapshot], Awaitable[Assessments | None]],
        judge: Judge,
    ) -> None:
        self._kept, self._judge = kept, judge
        self._known: dict[str, Judgement] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, snapshot: Snapshot) -> Judgement:
        """Return what is known of a run now; what is due is begun, not waited for."""
        if snapshot.key not in self._known:
            found = Judgement()
            self._known[snapshot.key] = found
            kept = await self._kept(snapshot)
            if kept is not None:
                found.take(kept, None, snapshot.last.tokens, partial=False)
        judgement = self._known[snapshot.key]
        heads_due = snapshot.has_heads and judgement.heads is None and not snapshot.large
        if judgement.due(snapshot) or (
            heads_due and judgement.assessments and not judgement.working and not judgement.failed
        ):
            judgement.working = True
            task = asyncio.get_running_loop().create_task(self._work(snapshot, judgement))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return judgement

    async def _work(self, snapshot: Snapshot, judgement: Judgement) -> None:
        """Judge first what stands for the levels, then everything."""
        try:
            if snapshot.large or not judgement.assessments:
                found, heads = await self._judge(snapshot, True)
                judgement.take(found, heads, snapshot.last.tokens, partial=True)
            if not snapshot.large:
                found, heads = await self._judge(snapshot, False)
                judgement.take(found, heads, snapshot.last.tokens, partial=False)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the page stays up whatever a run makes of the detector
            judgement.failed = f"{type(error).__name__}: {error}"[:200]
        finally:
            judgement.working = False

    def close(self) -> None:
        """Stop waiting for work under way."""
        for task in tuple(self._tasks):
            task.cancel()


def family_of(snapshot: Snapshot) -> dict[str, Curve]:
    """Return the curves that are judged first: what stands for a level, and its companion."""
    from nucleate.views.analysis import primary_metrics
    from nucleate.views.page.worker import with_companions

    primary = primary_metrics(snapshot.curves, snapshot.manifest.primary)
    chosen = with_companions(list(primary.values()), list(snapshot.curves))
    return {name: snapshot.curves[name] for name in chosen if name in snapshot.curves}
