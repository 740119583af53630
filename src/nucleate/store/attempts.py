"""Wait for the attempt that rank 0 has begun, so that other ranks can belong to it."""

from __future__ import annotations

import time
from pathlib import Path

from nucleate.core import RunFolderError
from nucleate.store import codec, record
from nucleate.store.files import is_locked
from nucleate.store.history import Attempt
from nucleate.store.log import segments


def await_attempt(log: Path, lock: Path, number: int | None, patience: float) -> Attempt:
    """Return the attempt of rank 0 to belong to.

    Args:
        log: The log folder.
        lock: The lock that rank 0 holds.
        number: The attempt, or None for the one that is being written now.
        patience: How long to wait, in seconds.

    Raises:
        RunFolderError: It did not begin.
    """
    give_up = time.monotonic() + patience
    while True:
        if number is not None or is_locked(lock):
            held = [each for each in segments(log) if each.rank == 0]
            wanted = [each for each in held if number is None or each.attempt == number]
            # Between taking the lock and beginning its segment, rank 0 leaves the last one there.
            begun = wanted and (number is not None or is_locked(wanted[-1].path))
            found = _start(wanted[-1].path, wanted[-1].attempt) if begun else None
            if found:
                return found
        if time.monotonic() > give_up:
            raise RunFolderError(
                "rank 0 has not begun its attempt",
                where=log.parent,
                fix="start rank 0 first, with RunWriter.create or RunWriter.resume",
            )
        time.sleep(0.02)


def _start(path: Path, attempt: int) -> Attempt | None:
    """Read the first record of a segment."""
    try:
        with path.open("rb") as file:
            found = record.decode(file.readline().removesuffix(b"\n"), attempt)
        if found is None or found.kind != "start":
            return None
        return Attempt(attempt, codec.unpack_step(found.data["at"]), found.time)
    except (OSError, KeyError, TypeError, ValueError):
        return None
