"""Read the log: verified records in order, and again from where the last reading stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nucleate.core import RunFolderError
from nucleate.store import record
from nucleate.store.log import Segment, segments
from nucleate.store.record import Record


@dataclass(slots=True)
class Place:
    """How far a segment has been read.

    Attributes:
        offset: Bytes read: everything up to the last complete line.
        records: Records read.
        damaged: Complete lines that are not what was written.
        tail: Bytes after the last complete line.
        damaged_end: Whether those are a whole record whose newline was altered.
    """

    offset: int = 0
    records: int = 0
    damaged: int = 0
    tail: int = 0
    damaged_end: bool = False


class LogReader:
    """Reads the records of a log folder, however it was left.

    A last line without its newline is a write that a kill or a running process has left
    incomplete: it is passed over silently, and read once it is complete. Any other line that does
    not match its checksum is skipped and counted.

    Args:
        folder: The log folder; a missing one reads as empty.

    Attributes:
        places: How far each segment has been read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.places: dict[Segment, Place] = {}

    @property
    def damaged(self) -> int:
        """Lines skipped so far because they are not what was written."""
        return sum(place.damaged + place.damaged_end for place in self.places.values())

    @property
    def position(self) -> int:
        """Bytes read so far, over all segments."""
        return sum(place.offset for place in self.places.values())

    def read(self) -> Iterator[Record]:
        """Yield the records that are new since the last call, segment by segment.

        Raises:
            RunFolderError: A folder, or a link that leads nowhere, stands in a segment's place.
        """
        try:
            for segment in segments(self._folder):
                with suppress(FileNotFoundError):  # taken away since it was listed
                    yield from self._read_segment(segment)
        except OSError as error:
            where = str(error.filename or self._folder)
            raise RunFolderError(
                "the log cannot be read", where=where, got=error.strerror
            ) from None

    def _read_segment(self, segment: Segment) -> Iterator[Record]:
        place = self.places.setdefault(segment, Place())
        with segment.path.open("rb") as file:
            file.seek(place.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    place.tail = len(line)
                    place.damaged_end = record.verified(line[:-1])
                    return
                place.offset += len(line)
                found = record.decode(line[:-1], segment.attempt, segment.rank)
                if found:
                    place.records += 1
                    yield found
                elif line != b"\n":
                    place.damaged += 1
            place.tail, place.damaged_end = 0, False
