"""A large log as columns: a history whose readings stand in arrays, read a slice at a time.

`Run` keeps an object for each Reading, which a log of millions cannot afford. The rules of
`store.history` hold here too: what a later attempt did again replaces what it repeats.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import Curve, Level, Step
from nucleate.store import LogReader, Record
from nucleate.store.history import History
from nucleate.store.log import segments
from nucleate.store.record import decode, number
from nucleate.store.writer import LOG

SAMPLES, SAMPLE = 40, 1 << 17
"""Places of a log that a preview reads, and bytes at each."""


class Column:
    """The readings of one metric: optimiser steps, values, standard errors."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.level = Level(data["level"])
        self.unit = str(data["unit"])
        self.chance = number(data["chance"])
        self.steps, self.values, self.errors = array("q"), array("d"), array("d")
        self.count = 0

    def add(self, step: int, data: Mapping[str, Any]) -> None:
        """Append one reading."""
        value, error = number(data["value"]), number(data["se"])
        self.steps.append(step)
        self.values.append(value)
        self.errors.append(error)
        self.count = int(data["n"])

    def forget_beyond(self, step: int) -> None:
        """Leave out readings that a resumed attempt does again."""
        keep = np.frombuffer(self.steps, dtype=np.int64) <= step
        for name in ("steps", "values", "errors"):
            own = getattr(self, name)
            left = array(own.typecode)
            left.frombytes(np.frombuffer(own, dtype=own.typecode)[keep].tobytes())
            setattr(self, name, left)

    def __len__(self) -> int:
        return len(self.steps)


class ColumnHistory(History):
    """What holds after a series of records, with readings in columns."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: dict[str, Column] = {}
        self.places: dict[int, Step] = {}

    def _forget_beyond(self, step: int) -> None:
        super()._forget_beyond(step)
        for column in self.columns.values():
            column.forget_beyond(step)
        self.columns = {name: column for name, column in self.columns.items() if len(column)}
        self.places = {key: place for key, place in self.places.items() if key <= step}

    def _take_reading(self, at: Step, data: Mapping[str, Any]) -> None:
        metric = data["metric"]
        column = self.columns.get(metric)
        if column is None:
            column = self.columns.setdefault(str(metric), Column(data))
        column.add(at.step, data)
        self.places[at.step] = at

    def curve(self, metric: str) -> Curve:
        """Return the Curve of a metric; where a step was read twice, the later reading holds.

        Raises:
            KeyError: Nothing of that name was read.
        """
        column = self.columns[metric]
        steps = np.frombuffer(column.steps, dtype=np.int64)
        order = np.argsort(steps, kind="stable")
        last = np.append(np.diff(steps[order]) != 0, True)
        at = order[last]
        places = tuple(self.places[step] for step in steps[at].tolist())
        return Curve(
            metric=metric,
            level=column.level,
            unit=column.unit,
            chance=column.chance,
            steps=places,
            values=tuple(np.frombuffer(column.values)[at].tolist()),
            se=tuple(np.frombuffer(column.errors)[at].tolist()),
            counts=(column.count,) * len(places) if column.count else (),
        )


class ColumnReader:
    """Reads a run's log into columns, for as long as one allows at a time.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self._folder = run / LOG
        self.history = ColumnHistory()
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
    for _, path in segments(run / LOG):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def preview(run: Path) -> ColumnHistory:
    """Return what samples of a large log say: its beginning, its end and places between.

    Places lie evenly over the logarithm of the position in the last segment and evenly over the
    position, in turn, so that both axes are covered; a few tenths of a second for any size.
    """
    history = ColumnHistory()
    found = segments(run / LOG)
    for segment, path in found[:-1][-3:]:  # where earlier attempts began; their end is superseded
        for record in _records_at(path, segment, 0):
            history.add(record)
    for segment, path in found[-1:]:
        for offset in _offsets(path.stat().st_size):
            for record in _records_at(path, segment, offset):
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


def _records_at(path: Path, segment: int, offset: int) -> Iterator[Record]:
    """Yield the whole records in one sample of a segment."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(SAMPLE)
    lines = content.split(b"\n")[1 if offset else 0 : -1]
    for line in lines:
        record = decode(line, segment)
        if record:
            yield record
