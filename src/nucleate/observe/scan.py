"""Scan a finished series: every checkpoint asked the same suite, into one run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from nucleate.core import Reading, Step, UserError
from nucleate.core.settings import validate
from nucleate.corpora.itemsets import ItemSet
from nucleate.models.series import Member, Series
from nucleate.models.series.judge import Finding
from nucleate.models.series.sketch import Sketch
from nucleate.observe.environment import environment
from nucleate.observe.scanning.job import Job, open_series, pick_device, prepare
from nucleate.observe.scanning.recorder import CHECKING, Recorder
from nucleate.observe.scanning.settings import OPTIONS, ScanSettings
from nucleate.observe.scanning.suites import choose_suite
from nucleate.observe.scanning.survey import FILE as MEMORY
from nucleate.observe.scanning.survey import add_sketches, survey
from nucleate.observe.scanning.work import Outcome, Worker, work_here
from nucleate.probes.item_suite import key_of
from nucleate.probes.suites import Suite
from nucleate.store import Manifest

UNCERTIFIED = (
    "some checkpoints have no manifest: a flipped bit that leaves a weight ordinary "
    "cannot be seen in them"
)


class Listener(Protocol):
    """Who wants to see a scan while it goes on."""

    def on_check(self, name: str, done: int, total: int) -> None:
        """Called after the integrity of each checkpoint was looked at."""

    def on_start(self, series: Series, suite: Suite, left: Sequence[Member]) -> None:
        """Called once, with the checkpoints that are left to be asked."""

    def on_note(self, text: str) -> None:
        """Called with each sentence that a user should see: damage, what is left out."""

    def on_part(self, member: Member, part: int, parts: int) -> None:
        """Called after each part of the suite; parts come one by one in one process only."""

    def on_scored(self, member: Member, readings: Sequence[Reading], seconds: float) -> None:
        """Called after each checkpoint."""


def scan(
    source: str | Path,
    *,
    out: str | Path,
    sets: Sequence[ItemSet] = (),
    device: str = "auto",
    worker: Worker | None = None,
    threads: int = 0,
    listener: Listener | None = None,
    command: Sequence[str] = (),
    **settings: Any,
) -> Path:
    """Measure every checkpoint of a finished series; called again, it goes on where it was.

    Args:
        source: Folder of checkpoints, one checkpoint, run folder, llama2.c file, or ``org/model``.
        out: Run folder to write, or to go on with.
        sets: Item sets to ask instead of a suite, as
            `nucleate.bridges.lm_eval.tasks.read_tasks` gives those of lm-eval.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        worker: Who does the work; this process when left out.
        threads: Threads of each worker; 0 for what torch takes.
        listener: Who watches.
        command: What was typed to get here, recorded so that the report can say it.
        settings: See `ScanSettings`.

    Returns:
        The run folder.

    Raises:
        UserError: Series, suite, data or run folder cannot be used.
        KeyboardInterrupt: Ctrl-C was pressed; the same call goes on.

    Example:
        >>> scan("runs/a", suite="story", out="runs/a-scan")       # doctest: +SKIP
    """
    wish = validate(
        ScanSettings, {"source": str(source), **settings}, where="scan", options=OPTIONS
    )
    chosen = pick_device(device)
    series = open_series(wish)
    wish = choose_suite(wish, series, sets)
    job, tokenizer = prepare(wish, series, chosen, sets)
    if threads:
        job = Job(job.suite, job.device, job.bf16, threads, job.flops)
    path = Path(out)
    recorder = Recorder(path, _manifest(wish, series, job, command, sets), job.suite, job.flops)
    try:
        for note in (*series.notes, *job.suite.notes):
            recorder.event(Step(0, 0), "note", note)
        if not recorder.goes_on:
            tokenizer.save_pretrained(path / "tokenizer")
        series = _trusted(series, recorder, listener)
        _score(series, job, recorder, worker or work_here, listener)
    except KeyboardInterrupt:
        recorder.close("interrupted")
        raise
    except BaseException:
        recorder.abandon()
        raise
    recorder.close("finished")
    return path


def _trusted(series: Series, recorder: Recorder, listener: Listener | None) -> Series:
    """Return the series without what should not be measured; say of each why.

    Raises:
        UserError: Nothing is left.
    """
    begin = time.perf_counter()
    found = survey(series, recorder.path / MEMORY, listener.on_check if listener else None)
    _report(found.findings, series, recorder, listener)
    if found.sketches and not found.certified():
        recorder.event(Step(0, 0), "note", UNCERTIFIED)
    recorder.spend(CHECKING, time.perf_counter() - begin)
    series = series.without(found.skip)
    if not series.members:
        raise UserError("no checkpoint is left to be scanned", where=series.source)
    return series


def _report(
    findings: Sequence[Finding], series: Series, recorder: Recorder, listener: Listener | None
) -> None:
    steps = {member.name: member.step for member in series.members}
    for finding in findings:
        recorder.event(steps[finding.names[-1]], finding.kind, finding.text)
        if listener:
            listener.on_note(finding.text)


def _score(
    series: Series, job: Job, recorder: Recorder, worker: Worker, listener: Listener | None
) -> None:
    left = recorder.left(series.members)
    if listener:
        listener.on_start(series, job.suite, left)
    clock = _Clock()
    readings: list[Reading] = []
    sketches: dict[str, Sketch] = {}
    for outcome in worker(job, recorder.tasks(left)):
        recorder.take(outcome)
        readings += [reading for answer in outcome.answers for reading in answer.readings]
        if listener:
            _tell(listener, outcome, len(job.suite.parts), readings, clock)
        if outcome.sketch:
            sketches[outcome.member.name] = outcome.sketch
        if outcome.last:
            readings = []
    if sketches:  # these were fetched one by one, so that only now all can be judged together
        _report(add_sketches(series, recorder.path / MEMORY, sketches), series, recorder, listener)


class _Clock:
    """Seconds since the last checkpoint."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        self._begin, seconds = now, now - self._begin
        return seconds


def _tell(
    listener: Listener, outcome: Outcome, parts: int, readings: Sequence[Reading], clock: _Clock
) -> None:
    if outcome.problem:
        listener.on_note(f"{outcome.member.name} is left out: {outcome.problem}")
    for answer in outcome.answers:
        listener.on_part(outcome.member, answer.part, parts)
    if outcome.last:
        listener.on_scored(outcome.member, readings, clock.lap())


def _manifest(
    settings: ScanSettings,
    series: Series,
    job: Job,
    command: Sequence[str],
    sets: Sequence[ItemSet],
) -> Manifest:
    facts = {"checkpoints": len(series.members), "axis": series.axis}
    own = {"sets": [one.name for one in sets], "content": key_of(sets)} if sets else {}
    return Manifest(
        name=series.name,
        recipe={
            "scan": settings.source,
            "axis": series.axis,
            **settings.model_dump(mode="json", exclude={"source"}),
            **own,
            "asked": [[probe.name, int(probe.cost(items))] for probe, items in job.suite.parts],
        },
        environment={
            **environment(job.device),
            "series": facts,
            **({"command": list(command)} if command else {}),
        },
        seeds={"items": settings.seed},
        primary={str(level): stem for level, stem in job.suite.primary.items()},
    )
