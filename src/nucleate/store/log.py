"""Append to the log: one segment per process start, one write call per record."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store import record
from nucleate.store.files import sync_folder, unwritable

SUFFIX = ".jsonl"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """Return number and path of each segment in a log folder, in order of writing."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = (Path(name) for name in names if name.endswith(SUFFIX))
    return sorted((int(name.stem), folder / name) for name in found if name.stem.isdecimal())


class LogWriter:
    """Writes one new segment.

    A record is acknowledged when `append` returns: it is then in the hands of the operating
    system, and a killed process loses nothing. `sync` makes it survive a power cut.

    Args:
        folder: The log folder; it is made when missing.

    Raises:
        RunFolderError: The segment cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        existing = segments(folder)
        self.segment = existing[-1][0] + 1 if existing else 1
        self.path = folder / f"{self.segment:06d}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise unwritable(self.path, error) from None
        self._torn = False
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
        self._torn = written != len(line)
        if self._torn:
            raise RunFolderError("record was cut short", where=self.path, fix="free disk space")

    def sync(self) -> None:
        """Force everything written so far onto the disk (milliseconds; for checkpoints)."""
        os.fsync(self._file)

    def close(self) -> None:
        """Sync and close; closing twice does nothing."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
