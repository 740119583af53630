"""Write what a scan finds into its run folder, and know what stands there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nucleate.core import Event, LedgerEntry, Mark, Step
from nucleate.models.series import Member
from nucleate.observe.observer import NO_ESTIMATE
from nucleate.observe.scanning.done import Done, read_done, refuse_another
from nucleate.observe.scanning.work import Outcome, Task
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, RunWriter

MAX_FAILURES = 3
"""Failures after which a part of the suite is not asked any more."""

COMPUTING, LOADING, CHECKING = "scoring, matrix products", "loading", "integrity"


class Recorder:
    """The writer of a scan's run folder.

    Args:
        path: The run folder; a new one, or one that holds an unfinished or grown scan.
        manifest: What the scan is.
        suite: What is asked.
        flops: FLOPs of asking one checkpoint.

    Raises:
        RunFolderError: The folder holds something else, or cannot be written.
    """

    def __init__(self, path: Path, manifest: Manifest, suite: Suite, flops: float) -> None:
        self.path, self._suite, self._flops = path, suite, flops
        goes_on = (path / "run.json").exists()
        self._done = Done()
        if goes_on:
            refuse_another(path, manifest.recipe)
            self._done = read_done(path)
            self._writer = RunWriter.resume(path, self._done.last)
        else:
            self._writer = RunWriter.create(path, manifest)
        self.goes_on = goes_on
        self._failures = dict(self._done.failures)
        self._events = set(self._done.events)
        self._at = self._done.last
        self._spent = {COMPUTING: 0.0, LOADING: 0.0, CHECKING: 0.0}
        self._share = 0.0

    def left(self, members: Sequence[Member]) -> list[Member]:
        """Return the checkpoints that have not been asked everything, in order."""
        return [member for member in members if len(self._skip(member)) < len(self._suite.parts)]

    def tasks(self, members: Sequence[Member]) -> Iterator[Task]:
        """Yield what is to be done, each when its turn comes."""
        for member in members:
            skip = self._skip(member)
            if len(skip) < len(self._suite.parts):
                yield Task(member, skip)

    def event(self, step: Step, kind: str, text: str) -> None:
        """Record an event, once."""
        key = (step.step, kind, text)
        if key not in self._events:
            self._events.add(key)
            self._writer.event(Event(step, kind, text))

    def take(self, outcome: Outcome) -> None:
        """Record the answers of an outcome."""
        member = outcome.member
        for answer in outcome.answers:
            self._spent[COMPUTING] += answer.seconds
            self._share += 1 / len(self._suite.parts)
            self._writer.readings(member.step, answer.readings)
            for text in answer.remarks:
                self.event(member.step, NO_ESTIMATE, text)
            if answer.heads is not None:
                self._writer.heads(member.step, answer.heads)
            self._writer.scored(member.step, member.name, answer.part, failed=bool(answer.error))
            if answer.error:
                self._failed(member.step, answer.part, answer.error)
        self._spent[LOADING] += outcome.loading
        if outcome.problem:
            self.event(member.step, "left out", outcome.problem)
        if outcome.answers and member.step.step > self._at.step:
            self._at = member.step

    def spend(self, part: str, seconds: float) -> None:
        """Add time to a part of the ledger."""
        self._spent[part] += seconds

    def close(self, status: Literal["finished", "interrupted"]) -> None:
        """Record what it cost and how it ended."""
        self._writer.ledger(self._ledger())
        self._writer.finish(status, self._at)
        self._writer.close()

    def abandon(self) -> None:
        """Close without saying how it ended, as after a failure."""
        self._writer.close()

    def _skip(self, member: Member) -> frozenset[int]:
        disabled = {part for part, count in self._failures.items() if count >= MAX_FAILURES}
        return frozenset(self._done.parts.get(member.name, set()) | disabled)

    def _failed(self, step: Step, part: int, error: str) -> None:
        count = self._failures[part] = self._failures.get(part, 0) + 1
        self.event(step, "probe failed", error)
        if count == MAX_FAILURES:
            name = self._suite.parts[part][0].name
            text = f"{name} is not asked any more after {count} failures"
            self.event(step, "probe disabled", text)

    def _ledger(self) -> list[LedgerEntry]:
        before: Mapping[str, Any] = self._done.ledger

        def sofar(part: str, what: str) -> float:
            return float(getattr(before[part], what)) if part in before else 0.0

        flops = sofar(COMPUTING, "flops") + self._share * self._flops
        out = []
        for part, seconds in self._spent.items():
            own = flops if part == COMPUTING else 0.0
            mark = Mark.MODELLED if part == COMPUTING else Mark.MEASURED
            out.append(LedgerEntry(part, own, sofar(part, "seconds") + seconds, mark))
        return out
