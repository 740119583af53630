"""Verdicts for the page: kept ones where there are some, else judged beside, never in its way."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleate.core import Assessment, Curve, Verdict
from nucleate.views.labels import SHARP
from nucleate.views.page.snapshot import Snapshot

if TYPE_CHECKING:
    from nucleate.views.heads import HeadStory

AGAIN = 1.06
"""What stands for a level is judged again when the tokens of a growing run have grown by this
factor: forty times a decade."""

WHOLE = 1.5
"""A growing run is judged as a whole when its tokens have grown by this factor."""

FIRST_PAUSE, SLOWER, LONGEST_PAUSE = 10.0, 6.0, 600.0
"""Seconds before the detector is asked again after it failed: 10, 60, 360, then every 600."""

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
        at: How many tokens of the run the verdict of each metric is about.
        heads: What was said of the heads when everything was judged.
        levels: How much of the run was judged when what stands for a level last was.
        whole: The same of everything; 0 before the first.
        serial: Grows with every new verdict.
        busy: What is being judged: ``levels``, ``all``.
        failed: Why the detector could not judge the last time, in words; empty when it could.
        failures: How often it could not, since it last could.
        again: When it is asked again after that, on the clock of `time.monotonic`.
        course: How the verdict of each metric came to be, oldest first.
    """

    assessments: dict[str, Assessment] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    heads: HeadStory | None = None
    levels: int = 0
    whole: int = 0
    serial: int = 0
    busy: set[str] = field(default_factory=set)
    failed: str = ""
    failures: int = 0
    again: float = 0.0
    course: dict[str, list[Certainty]] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """How much of the run the latest verdict is about; 0 before the first."""
        return max(self.at.values(), default=0)

    @property
    def working(self) -> bool:
        """Whether the detector is at it."""
        return bool(self.busy)

    def take(self, news: Assessments, heads: HeadStory | None, tokens: int, *, whole: bool) -> None:
        """Take in verdicts; older ones that come late never replace newer ones."""
        for metric, found in news.items():
            if tokens >= self.at.get(metric, 0):
                self.assessments[metric], self.at[metric] = found, tokens
                note(self.course.setdefault(metric, []), found, tokens)
        if whole:
            self.whole, self.heads = tokens, heads or self.heads
        self.levels = max(self.levels, tokens)
        self.serial += 1
        self.failed, self.failures, self.again = "", 0, 0.0

    def fail(self, why: str, now: float) -> None:
        """Note that the detector could not judge, and wait longer after each time before the next.

        Args:
            why: The reason, in words.
            now: Seconds on the clock of `time.monotonic`.
        """
        self.failed = why[:200]
        pause = FIRST_PAUSE * SLOWER ** min(self.failures, 9)  # more would overflow in days
        self.again = now + min(pause, LONGEST_PAUSE)
        self.failures += 1

    def wants(self, snapshot: Snapshot, now: float = math.inf) -> list[str]:
        """Return what is due: ``levels``, ``all``, both or nothing.

        Args:
            snapshot: The run as it is.
            now: Seconds on the clock of `time.monotonic`; soon after a failure nothing is due.
        """
        if now < self.again or snapshot.share < 1.0 or not snapshot.num_readings:
            return []
        tokens, running = snapshot.last.tokens, snapshot.status == "running"
        alone = running or snapshot.large  # else everything is judged, the levels among it
        levels = not self.assessments or (
            alone and tokens > (AGAIN * self.levels if running else self.levels)
        )
        everything = not self.whole or (
            tokens >= WHOLE * self.whole if running else tokens > self.whole
        )
        heads = snapshot.has_heads and self.heads is None
        due = ["levels"] if levels else []
        if not snapshot.large and self.assessments and (everything or heads):
            due.append("all")
        return [each for each in due if each not in self.busy]


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
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        kept: Callable[[Snapshot], Awaitable[Assessments | None]],
        judge: Judge,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept, self._judge, self._clock = kept, judge, clock
        self._known: dict[str, Judgement] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, snapshot: Snapshot) -> Judgement:
        """Return what is known of a run now; what is due is begun, not waited for."""
        if snapshot.key not in self._known:
            found = Judgement()
            self._known[snapshot.key] = found
            kept = await self._kept(snapshot)
            if kept is not None:
                found.take(kept, None, snapshot.last.tokens, whole=True)
        judgement = self._known[snapshot.key]
        self._begin(snapshot, judgement)
        return judgement

    def _begin(self, snapshot: Snapshot, judgement: Judgement) -> None:
        for what in judgement.wants(snapshot, self._clock()):
            judgement.busy.add(what)
            task = asyncio.get_running_loop().create_task(self._work(snapshot, judgement, what))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, snapshot: Snapshot, judgement: Judgement, what: str) -> None:
        try:
            found, heads = await self._judge(snapshot, what == "levels")
            judgement.take(found, heads, snapshot.last.tokens, whole=what == "all")
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the page stays up whatever a run makes of the detector
            judgement.fail(f"{type(error).__name__}: {error}", self._clock())
        finally:
            judgement.busy.discard(what)
        self._begin(snapshot, judgement)  # after the levels, everything

    def forget(self, key: str) -> None:
        """Forget what was said of a run: another has taken its name."""
        self._known.pop(key, None)

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
