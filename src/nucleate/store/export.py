"""Readings as a CSV table that any tool opens."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from nucleate.core import Reading, RunFolderError, Step
from nucleate.store.files import write_atomic

COLUMNS = ("metric", "level", "unit", "step", "tokens", "flops", "value", "se", "n", "chance")


def write_table(path: Path, readings: Iterable[tuple[Step, Reading]]) -> None:
    """Write one row per Reading; NaN is left empty.

    Raises:
        RunFolderError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(_row(step, reading) for step, reading in readings)
    try:
        write_atomic(path, text.getvalue().encode("utf-8"))
    except OSError as error:
        raise RunFolderError("table cannot be written", where=path, got=error.strerror) from None


def _row(step: Step, reading: Reading) -> list[object]:
    return [
        reading.metric,
        str(reading.level),
        reading.unit,
        step.step,
        step.tokens,
        _cell(step.flops),
        _cell(reading.value),
        _cell(reading.se),
        reading.n,
        _cell(reading.chance),
    ]


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
