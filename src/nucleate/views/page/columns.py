"""A large log, read a slice at a time, and what samples of it say before that."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

from nucleate.store import LogReader, Record
from nucleate.store.history import History
from nucleate.store.log import segments
from nucleate.store.record import decode
from nucleate.store.writer import LOG

SAMPLES, SAMPLE = 40, 1 << 17
"""Places of a log that a preview reads, and bytes at each."""


class ColumnReader:
    """Reads a run's log into columns, for as long as one allows at a time.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / LOG
        self.history = History()
        self._log = LogReader(self._folder)
        self._records: Iterator[Record] | None = None
        self._read = 0

    @property
    def damaged(self) -> int:
        """Records that cannot be used because they are not what was written."""
        return self.history.malformed + self._log.damaged

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._log.position

    def advance(self, seconds: float) -> bool:
        """Read on for some seconds; returns whether everything written so far has been read."""
        end = time.monotonic() + seconds
        if self._records is None:
            self._records = self._log.read()
        for record in self._records:
            self.history.add(record)
            self._read += 1
            if self._read % 256 == 0 and time.monotonic() > end:
                return False
        self._records = None
        return True


def log_size(run: Path) -> int:
    """Return the bytes of a run's log."""
    total = 0
    for _, _, path in segments(run / LOG):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def preview(run: Path) -> History:
    """Return what samples of a large log say: its beginning, its end and places between.

    Places lie evenly over the logarithm of the position in the largest segment and evenly over the
    position, in turn, so that both axes are covered; a few tenths of a second for any size.
    """
    history = History()
    found = segments(run / LOG)
    sizes = [path.stat().st_size for _, _, path in found]
    largest = max(range(len(found)), key=sizes.__getitem__, default=0)
    for number, (segment, rank, path) in enumerate(found):
        if number == largest:
            offsets = _offsets(sizes[number])
        else:  # where other attempts and ranks began, those of the end
            offsets = [0] if number >= len(found) - 4 else []
        for offset in offsets:
            for record in _records_at(path, (segment, rank), offset):
                history.add(record)
    return history


def _offsets(size: int) -> list[int]:
    most = max(size - SAMPLE, 0)
    half = SAMPLES // 2
    evenly = [most * i // half for i in range(half + 1)]
    low = math.log(max(SAMPLE, 1))
    high = math.log(max(most, SAMPLE + 1))
    log = [int(math.exp(low + (high - low) * i / half)) for i in range(half)]
    offsets: list[int] = []
    for offset in sorted({0, *evenly, *(min(x, most) for x in log)}):
        if not offsets or offset - offsets[-1] >= SAMPLE or offset == most:
            offsets.append(offset)
    return offsets


def _records_at(path: Path, origin: tuple[int, int], offset: int) -> Iterator[Record]:
    """Yield the whole records in one sample of a segment."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(SAMPLE)
    lines = content.split(b"\n")[1 if offset else 0 : -1]
    for line in lines:
        record = decode(line, *origin)
        if record:
            yield record
