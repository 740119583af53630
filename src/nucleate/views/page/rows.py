"""The list of runs: what each is and how it stands, read from its manifest and the log's end."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store.files import is_locked
from nucleate.store.log import segments
from nucleate.store.manifest import FILE, Manifest, read_manifest
from nucleate.store.record import decode, number
from nucleate.store.recovery import find_manifest
from nucleate.store.writer import LOCK, LOG
from nucleate.views.page.ending import ago
from nucleate.views.page.notes import read_notes, tags_of
from nucleate.views.page.shelf import Place

TAIL = 1 << 18
"""Bytes of the log's end that are read for the list."""

STATES = ("running", "finished", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list.

    Attributes:
        key: Its name on the page.
        name: What it is called in its manifest.
        state: One of `STATES`.
        tags, notes: What people wrote, and what its recipe says.
        tokens: Where it stands; `total` where it is going, 0 when unknown.
        loss: The last training loss; NaN when there is none near the end of the log.
        written: When its log was last written, seconds since 1970.
        problem: What is wrong with the folder, or why it cannot be read; empty when nothing is.
    """

    key: str
    name: str
    state: str
    tags: tuple[str, ...] = ()
    notes: str = ""
    tokens: int = 0
    total: int = 0
    loss: float = math.nan
    written: float = 0.0
    problem: str = ""

    def matches(self, words: str, state: str = "") -> bool:
        """Tell whether a run has all the words in its name, key, tags or notes, and the state."""
        text = " ".join((self.key, self.name, *(f"#{tag}" for tag in self.tags), self.notes))
        text = text.casefold()
        return (not state or state == self.state) and all(
            word in text for word in words.casefold().split()
        )

    def since(self, now: float) -> str:
        """Say how long ago the log was written."""
        return ago(now - self.written) if self.written else "never"


def run_row(place: Place) -> RunRow:
    """Return the row of a run; a folder that cannot be read says why."""
    try:
        manifest, problem = _manifest(place)
    except RunFolderError as error:
        return RunRow(place.key, place.key, "failed", problem=error.what)
    notes = read_notes(place.path)
    locked = is_locked(place.path / LOCK)
    end = log_end(place.path)
    total = manifest.recipe.get("tokens")
    return RunRow(
        key=place.key,
        name=manifest.name,
        state=_state(end, locked),
        tags=tags_of(manifest, notes),
        notes=notes,
        tokens=end.tokens,
        total=total if isinstance(total, int) else 0,
        loss=end.loss,
        written=end.written,
        problem=problem,
    )


def _manifest(place: Place) -> tuple[Manifest, str]:
    """Return what a run is, and what is wrong with `run.json` where the log's copy had to do.

    Raises:
        RunFolderError: There is neither, or the run was written in a newer format.
    """
    try:
        return read_manifest(place.path), ""
    except RunFolderError as error:
        there = (place.path / FILE).exists()
        wrong = error.what if there else f"{FILE} is missing"
        try:
            copy = find_manifest(place.path)
        except RunFolderError:
            raise error if there else RunFolderError(f"{wrong}, and so is its copy") from None
        mend = shlex.join(["nucleate", "doctor", place.key, "--mend"])
        return copy, f"{wrong}; the log’s copy stands in for it ({mend} puts it back)"


@dataclass(frozen=True, slots=True)
class LogEnd:
    """What the last records of a log say.

    Attributes:
        ended: How the run ended, as its attempt recorded it; None when it did not.
        tokens: Where the run stands.
        loss: The last training loss; NaN when there is none, or when it was not finite.
        broken: Whether the last loss was not finite.
        written: When the log was last written, seconds since 1970; 0 without a log.
    """

    ended: str | None = None
    tokens: int = 0
    loss: float = math.nan
    broken: bool = False
    written: float = 0.0


def log_end(run: Path, size: int = TAIL) -> LogEnd:
    """Return what the end of a log says; no more of it is decoded than is needed."""
    ended, place, loss = None, None, None
    lines, segment, written = _last_lines(run, size)
    for line in reversed(lines):
        record = decode(line, segment)
        if record is None:
            continue
        if ended is None and record.kind == "finish":
            ended = str(record.data.get("status"))
        at = record.data.get("at")
        if place is None and isinstance(at, Mapping):
            place = at
        if record.kind == "loss":
            loss = record
            break
    value = _number(loss.data.get("loss")) if loss else math.nan
    return LogEnd(
        ended,
        int(_number(place.get("tokens"), 0.0)) if place else 0,
        value,
        loss is not None and not math.isfinite(value),
        written,
    )


def last_written(run: Path) -> float:
    """Return when a log was last written, seconds since 1970; NaN without a log."""
    return _last_lines(run, 0)[2] or math.nan


def _last_lines(run: Path, size: int) -> tuple[list[bytes], int, float]:
    """Return the last whole lines of a log, their segment, and when the log was written.

    Attempts that only measured a run again say nothing of how it stands: they are passed over.
    """
    found = sorted(segments(run / LOG), key=lambda each: (-each.attempt, each.rank))
    written = 0.0
    for segment, _, path in found:
        try:
            with path.open("rb") as file:
                begin = [decode(file.readline()[:-1], segment) for _ in range(2 if size else 0)]
                end = file.seek(0, 2)
                file.seek(max(0, end - size))
                content = file.read(size)
            written = max(written, path.stat().st_mtime)
        except OSError:
            continue
        if any(record and record.data.get("backfill") for record in begin):
            continue
        return content.split(b"\n")[1 if end > size else 0 : -1], segment, written
    return [], 0, written


def tag_counts(rows: Sequence[RunRow], most: int = 24) -> list[tuple[str, int]]:
    """Return tags with how many runs have them, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        for tag in row.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _state(end: LogEnd, locked: bool) -> str:
    if end.broken:
        return "failed"
    if end.ended is not None:
        return "finished" if end.ended == "finished" else "stopped"
    return "running" if locked else "failed"


def _number(value: Any, otherwise: float = math.nan) -> float:
    try:
        found = number(value)
    except (TypeError, ValueError):
        return otherwise
    return found if math.isfinite(found) or math.isnan(otherwise) else otherwise
