"""Examine a run folder: what is whole, what is not, and the one thing to do about each.

Nothing is ever changed here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store.files import is_locked
from nucleate.store.history import Attempt, History
from nucleate.store.log import segments
from nucleate.store.manifest import FILE, manifest_of_record, read_manifest
from nucleate.store.reader import LogReader
from nucleate.store.recovery import LOG, manifest_altered

CHECKPOINTS, LOCK, RESUME = "checkpoints", "run.lock", "resume"
_CHECKPOINT_MANIFEST = "manifest.json"


class State(StrEnum):
    """What a finding says of a part of a run folder."""

    WHOLE = "whole"
    NOTE = "note"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one part of a run folder.

    Attributes:
        part: The file or folder, relative to the run folder.
        state: Whether it is whole; a note is worth knowing and harms nothing.
        text: What was found, in one sentence.
        fix: The one thing to do; empty where nothing is to be done.
    """

    part: str
    state: State
    text: str
    fix: str = ""

    @property
    def bad(self) -> bool:
        """Whether something is damaged or missing."""
        return self.state in (State.DAMAGED, State.MISSING)


@dataclass(frozen=True, slots=True)
class Examination:
    """What `examine` found.

    Attributes:
        path: The run folder.
        findings: One or more for each part.
        attempts: The process starts.
        ranks: Ranks that wrote in each attempt.
        readings, backfilled: Readings that count, and those at Steps that were passed already.
    """

    path: Path
    findings: tuple[Finding, ...]
    attempts: tuple[Attempt, ...] = ()
    ranks: Mapping[int, int] = field(default_factory=dict)
    readings: int = 0
    backfilled: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is damaged or missing."""
        return not any(finding.bad for finding in self.findings)


def examine(path: str | Path) -> Examination:
    """Look at every part of a run folder; the folder is left as it is.

    Raises:
        RunFolderError: There is no such folder, it is none of a run, or of a newer format.
    """
    path = Path(path)
    if not path.is_dir() or not (segments(path / LOG) or (path / FILE).is_file()):
        read_manifest(path)  # says which of the two it is
    reader, history = LogReader(path / LOG), History()
    backfilled, farthest = 0, dict[tuple[int, int], int]()
    for record in reader.read():
        history.add(record)
        origin, step = (record.segment, record.rank), _step(record.data)
        if record.kind in ("reading", "readings") and step < farthest.get(origin, -1):
            names = record.data.get("metric")
            backfilled += len(names) if isinstance(names, list) else 1
        if record.kind in ("reading", "readings", "loss") or record.data.get("backfill"):
            farthest[origin] = max(farthest.get(origin, -1), step)
    findings = [
        *_manifest(path, history),
        *_segments(path, reader, history),
        *_side_files(path, "heads", {name: digest for _, name, digest in history.heads}),
        *_side_files(path, "items", _named_items(history)),
        *_checkpoints(path),
        *_files(path, history),
    ]
    return Examination(
        path,
        tuple(findings),
        tuple(history.attempts),
        {number: len(ranks) for number, ranks in sorted(history.ranks.items())},
        history.readings.count(),
        backfilled,
    )


def _step(data: Mapping[str, Any]) -> int:
    at = data.get("at")
    step = at.get("step") if isinstance(at, dict) else None
    return step if isinstance(step, int) else -1


def _manifest(path: Path, history: History) -> Iterator[Finding]:
    copy = history.manifest
    restore = "nucleate doctor RUN --mend restores it from the log"
    if not (path / FILE).is_file():
        fix = restore if copy else "restore it from a copy of the folder"
        yield Finding(FILE, State.MISSING, "is missing", fix)
        return
    if copy is not None and manifest_altered(path, copy):
        yield Finding(FILE, State.DAMAGED, "is not what was written", restore)
        return
    try:
        manifest = read_manifest(path)
    except RunFolderError as error:
        if copy is None and "newer" in error.what:
            raise
        yield Finding(FILE, State.DAMAGED, error.what, "restore it from a copy of the folder")
        return
    if copy is None:
        text = "can be read; an earlier version wrote it, without a checksum"
        yield Finding(FILE, State.NOTE, text)
    else:
        yield Finding(FILE, State.WHOLE, f"format {manifest.format}, as it was written")


def _segments(path: Path, reader: LogReader, history: History) -> Iterator[Finding]:
    writing = is_locked(path / LOCK)
    if not reader.places:
        text = "holds no segment"
        yield Finding(LOG, State.MISSING, text, "restore it from a copy of the folder")
        return
    newest = max(segment.attempt for segment in reader.places)
    numbers = {segment.attempt for segment in reader.places if segment.rank == 0}
    for number in sorted(set(range(1, newest + 1)) - numbers):
        text = f"the segment of attempt {number} is missing"
        yield Finding(LOG, State.MISSING, text, "restore it from a copy of the folder")
    for segment, place in sorted(reader.places.items()):
        part = f"{LOG}/{segment.path.name}"
        if bad := place.damaged + place.damaged_end:
            text = f"{bad} of {place.records + bad} records are not what was written; the rest read"
            yield Finding(part, State.DAMAGED, text, "restore the file from a copy, or go on")
        else:
            yield Finding(
                part, State.WHOLE, f"{_many(place.records, 'record')}, every checksum right"
            )
        if place.tail and not place.damaged_end and not (writing and segment.attempt == newest):
            text = f"ends in {place.tail} bytes of a record that was cut short before it counted"
            yield Finding(part, State.NOTE, text, "nothing: it was never acknowledged")
    if history.malformed:
        text = f"{history.malformed} records lack what their kind needs"
        yield Finding(LOG, State.DAMAGED, text, "report it: their checksums are right")


def _named_items(history: History) -> dict[str, str]:
    found = dict.fromkeys(history.readings.side_files(), "")
    return {**found, **history.side}


def _side_files(path: Path, folder: str, named: Mapping[str, str]) -> Iterator[Finding]:
    good = 0
    fix = "restore it from a copy; everything else reads without it"
    for name, digest in named.items():
        part = f"{folder}/{Path(name).name}"
        if not digest:
            text = "the record with its checksum is lost"
            yield Finding(part, State.DAMAGED, text, "restore the log from a copy")
        elif not (path / part).is_file():
            yield Finding(part, State.MISSING, "is missing", fix)
        elif _sha256(path / part) != digest:
            yield Finding(part, State.DAMAGED, "is not what was written", fix)
        else:
            good += 1
    if good:
        yield Finding(folder, State.WHOLE, f"{_many(good, 'side file')}, every checksum right")
    there = {each.name for each in (path / folder).glob("*.safetensors")}
    if extra := there - {Path(name).name for name in named}:
        text = f"{_many(len(extra), 'file')} that no record names now (superseded, or cut short)"
        yield Finding(folder, State.NOTE, text)


def _checkpoints(path: Path) -> Iterator[Finding]:
    folders = [path / RESUME, *sorted((path / CHECKPOINTS).glob("*"), key=_natural)]
    good = 0
    for folder in folders:
        part = str(folder.relative_to(path))
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        fix = "nothing: the run goes on without it; use another checkpoint"
        if folder.name == RESUME:
            fix = "restore it from a copy, or train again in a new folder"
        if problem := checkpoint_problem(folder):
            yield Finding(part, problem[0], problem[1], fix)
        else:
            good += 1
    if good:
        text = f"{_many(good, 'checkpoint')} (with the resume point), every checksum right"
        yield Finding(CHECKPOINTS, State.WHOLE, text)


def checkpoint_problem(folder: Path) -> tuple[State, str] | None:
    """Compare a checkpoint with its own manifest; None where all is as it was saved."""
    try:
        content = (folder / _CHECKPOINT_MANIFEST).read_bytes()
    except OSError:
        return State.MISSING, f"has no {_CHECKPOINT_MANIFEST}: the save was cut short"
    first, _, _ = content.partition(b",")
    body = content[len(first) + 1 :]
    if first != b'{\n "checksum": "%s"' % hashlib.sha256(body).hexdigest().encode():
        return State.DAMAGED, f"{_CHECKPOINT_MANIFEST} has been altered"
    try:
        files = json.loads(content)["files"]
        for name, saved in files.items():
            file = folder / Path(name).name
            if not file.is_file():
                return State.MISSING, f"{name} is missing"
            if file.stat().st_size != saved["bytes"] or _sha256(file) != saved["sha256"]:
                return State.DAMAGED, f"{name} is not what was saved"
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return State.DAMAGED, f"{_CHECKPOINT_MANIFEST} cannot be understood"
    return None


def _files(path: Path, history: History) -> Iterator[Finding]:
    """Compare files of the run that never change with what was recorded of them."""
    fix = "restore it from a copy (checkpoints hold a tokenizer.json too)"
    for name, digest in history.files.items():
        file = path / name
        if not file.resolve().is_relative_to(path.resolve()) or not file.is_file():
            yield Finding(name, State.MISSING, "is missing", fix)
        elif _sha256(file) != digest:
            yield Finding(name, State.DAMAGED, "is not what was written", fix)
        else:
            yield Finding(name, State.WHOLE, "as it was written")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _natural(path: Path) -> tuple[str, int, str]:
    head = path.name.rstrip("0123456789")
    digits = path.name[len(head) :]
    return head, int(digits or 0), path.name


def mend(path: str | Path) -> list[str]:
    """Put `run.json` back from the log's copy where it is missing or altered; nothing else.

    What stood there is kept as ``run.json.damaged``.

    Returns:
        What was done, one sentence each.

    Raises:
        RunFolderError: A process is writing the run, or the folder cannot be written.
    """
    from nucleate.store.files import Lock, unwritable
    from nucleate.store.manifest import write_manifest
    from nucleate.store.recovery import logged_manifest

    path = Path(path)
    copy = logged_manifest(path)
    if copy is None or not manifest_altered(path, copy):
        return []
    manifest = manifest_of_record(path, copy)
    lock = Lock(path / LOCK)
    try:
        if (path / FILE).exists():
            (path / FILE).replace(path / f"{FILE}.damaged")
        write_manifest(path, manifest)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        lock.release()
    return [f"{FILE} was put back from the log; what stood there is now {FILE}.damaged"]
