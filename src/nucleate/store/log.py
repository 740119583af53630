"""Append to the log: one segment per process start and rank, one write call per record."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nucleate.core import RunFolderError
from nucleate.store import record
from nucleate.store.files import hold, let_go, sync_folder, unwritable

_NAME = re.compile(r"(\d+)(?:\.r([1-9]\d*))?\.jsonl")


class Segment(NamedTuple):
    """A file of the log: which attempt and which rank wrote it."""

    attempt: int
    rank: int
    path: Path


def segment_name(attempt: int, rank: int) -> str:
    """Return ``000002.jsonl``, or ``000002.r3.jsonl`` for rank 3."""
    return f"{attempt:06d}.jsonl" if rank == 0 else f"{attempt:06d}.r{rank}.jsonl"


def segments(folder: Path) -> list[Segment]:
    """Return the segments in a log folder, by attempt, then by rank."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = ((_NAME.fullmatch(name), name) for name in names if name.isascii())
    return sorted(
        Segment(int(match[1]), int(match[2] or 0), folder / name) for match, name in found if match
    )


class LogWriter:
    """Writes one segment.

    A record is acknowledged when `append` returns: it is then in the hands of the operating
    system, and a killed process loses nothing. `sync` makes it survive a power cut.

    Args:
        folder: The log folder; it is made when missing.
        attempt: Attempt of the segment; one more than there are when left out.
        rank: Rank of the writing process. A rank above 0 goes on in its own segment when it
            comes back within an attempt.

    Raises:
        RunFolderError: The segment cannot be made, or another process writes it.
    """

    def __init__(self, folder: Path, *, attempt: int | None = None, rank: int = 0) -> None:
        if attempt is None:
            existing = segments(folder)
            attempt = existing[-1].attempt + 1 if existing else 1
        self.segment = attempt
        self.path = folder / segment_name(attempt, rank)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, flags if rank else flags | os.O_EXCL, 0o644)
        except OSError as error:
            raise unwritable(self.path, error) from None
        if not hold(self._file):
            os.close(self._file)
            raise RunFolderError(
                "is being written by another process", where=self.path, fix="use another rank"
            )
        self._torn = _ends_torn(self._file)
        sync_folder(folder)

    def append(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write one record.

        Args:
            kind: Name of the record's kind.
            data: JSON types only; NaN is stored as null, infinities as text.

        Raises:
            RunFolderError: The record could not be written whole (disk full, file closed).
        """
        line = record.encode(kind, time.time(), data)
        if self._torn:  # an earlier record was cut short: keep this one on a line of its own
            line = b"\n" + line
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise unwritable(self.path, error) from None
        if written != len(line):
            self._torn = True
            raise RunFolderError("record was cut short", where=self.path, fix="free disk space")
        self._torn = False

    def sync(self) -> None:
        """Force everything written so far onto the disk (milliseconds; for checkpoints).

        Raises:
            RunFolderError: The disk refuses.
        """
        try:
            os.fsync(self._file)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        """Sync and close; closing twice does nothing."""
        if self._file >= 0:
            try:
                self.sync()
            finally:
                let_go(self._file)
                self._file = -1


def _ends_torn(file: int) -> bool:
    """Tell whether a segment that is gone on with ends within a line."""
    size = os.lseek(file, 0, os.SEEK_END)
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
