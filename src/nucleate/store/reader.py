"""Read the log: verified records in order, and again from where the last reading stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nucleate.store import record
from nucleate.store.log import segments
from nucleate.store.record import Record


class LogReader:
    """Reads the records of a log folder, however it was left.

    A last line without its newline is a write that a kill or a running process has left
    incomplete: it is passed over silently, and read once it is complete. Any other line that does
    not match its checksum is skipped and counted.

    Args:
        folder: The log folder; a missing one reads as empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[int, int] = {}
        self._damaged = 0
        self._damaged_ends: set[int] = set()

    @property
    def damaged(self) -> int:
        """Lines skipped so far because they are not what was written."""
        return self._damaged + len(self._damaged_ends)

    @property
    def position(self) -> int:
        """Bytes read so far, over all segments."""
        return sum(self._offsets.values())

    def read(self) -> Iterator[Record]:
        """Yield the records that are new since the last call, segment by segment."""
        for segment, path in segments(self._folder):
            yield from self._read_segment(segment, path)

    def _read_segment(self, segment: int, path: Path) -> Iterator[Record]:
        offset = self._offsets.get(segment, 0)
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    self._judge_end(segment, line)
                    return
                offset += len(line)
                self._offsets[segment] = offset
                found = record.decode(line[:-1], segment)
                if found:
                    yield found
                elif line != b"\n":
                    self._damaged += 1

    def _judge_end(self, segment: int, line: bytes) -> None:
        """Tell a whole record whose newline was altered from one that was cut short."""
        if record.verified(line[:-1]):
            self._damaged_ends.add(segment)
