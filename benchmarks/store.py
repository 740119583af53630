"""The run folder beside what TensorBoard and trackio keep: appending, and opening the same data.

Run with ``python -m benchmarks.store``, or as a part of ``make bench``. Everything is timed in one
process; opening goes in turns, and ratios are those of processor time, which other processes do not
stretch. The data: metrics read at the same steps, as probes read them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from nucleate.core import Reading, Step
from nucleate.store import Manifest, Run, RunWriter

STEPS, METRICS, LONE = 10_000, 100, 100_000
APPENDS = 5_000
NAMES = [f"family{k // 10}.condition{k % 10}.accuracy" for k in range(METRICS)]


def values(steps: int) -> np.ndarray:
    """Return the numbers, shape ``(steps, METRICS)``; float32, which is all TensorBoard keeps."""
    return np.random.default_rng(0).random((steps, METRICS)).astype(np.float32)


def append_times(folder: Path) -> dict[str, float]:
    """Return the median seconds of appending one record, by kind."""
    reading = Reading(NAMES[0], 0.5, 0.01, 200, 0.5, "fraction")
    batch = [Reading(name, 0.123456789, 0.01, 200, 0.5, "fraction") for name in NAMES]
    out = {}
    with RunWriter.create(folder / "append", Manifest("append")) as writer:
        calls: dict[str, Callable[[Step], None]] = {
            "loss": lambda at: writer.loss(at, 3.2, 1.0),
            "reading": lambda at: writer.reading(at, reading),
            f"batch of {METRICS} readings": lambda at: writer.readings(at, batch),
        }
        for name, call in calls.items():
            times = []
            for step in range(APPENDS):
                at = Step(step, step * 4096, step * 1e12, 0.5, 3e-4)
                begin = time.perf_counter()
                call(at)
                times.append(time.perf_counter() - begin)
            out[name] = median(times)
    return out


def write_ours(folder: Path, numbers: np.ndarray) -> Path:
    """Write the numbers as batches, as an observer does."""
    path = folder / "batches"
    with RunWriter.create(path, Manifest("batches")) as writer:
        for step, row in enumerate(numbers.tolist(), 1):
            readings = [
                Reading(name, value, 0.01, 200, 0.5, "fraction")
                for name, value in zip(NAMES, row, strict=True)
            ]
            writer.readings(Step(step, step * 4096), readings)
    return path


def write_lone(folder: Path, numbers: np.ndarray) -> Path:
    """Write the numbers one record each, as format 1 did."""
    path = folder / "lone"
    with RunWriter.create(path, Manifest("lone")) as writer:
        for step, row in enumerate(numbers.tolist(), 1):
            for name, value in zip(NAMES, row, strict=True):
                reading = Reading(name, value, 0.01, 200, 0.5, "fraction")
                writer.reading(Step(step, step * 4096), reading)
    return path


def open_ours(path: Path) -> int:
    """Open a run folder until every Curve is there; return how many numbers that is."""
    return sum(len(curve.values) for curve in Run.open(path).curves().values())


def write_tensorboard(folder: Path, numbers: np.ndarray) -> Path:
    """Write one event for each step, with all its scalars: the smallest that TensorBoard reads."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    path = folder / "tensorboard"
    writer = EventFileWriter(str(path))
    for step, row in enumerate(numbers.tolist(), 1):
        told = [Summary.Value(tag=n, simple_value=v) for n, v in zip(NAMES, row, strict=True)]
        writer.add_event(Event(step=step, wall_time=float(step), summary=Summary(value=told)))
    writer.close()
    return path


def open_tensorboard(path: Path) -> int:
    """Read the events as TensorBoard does, all of them kept."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    found = EventAccumulator(str(path), size_guidance={SCALARS: 0}).Reload()
    return sum(len(found.Scalars(tag)) for tag in found.Tags()[SCALARS])


def trackio_storage(folder: Path) -> Any:
    """trackio's storage, which keeps its databases in a folder; None where it is not installed."""
    if importlib.util.find_spec("trackio") is None:
        return None
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")  # read once, when it is imported
    return importlib.import_module("trackio.sqlite_storage").SQLiteStorage


def write_trackio(numbers: np.ndarray, storage: Any) -> None:
    """Log one row a step, as the batches of `trackio.log` arrive."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in numbers.tolist()]
    storage.bulk_log("bench", "run", rows, steps=list(range(1, len(rows) + 1)))


def open_trackio(storage: Any) -> int:
    """Read a run as trackio's dashboard does: a list of dictionaries."""
    return sum(len(row) - 2 for row in storage.get_logs("bench", "run"))


def compare(steps: int, turns: int) -> None:
    """Print one line for each measurement."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = ", ".join(f"{k} {v * 1e6:.0f} µs" for k, v in append_times(folder).items())
        print(f"run folder, append (median of {APPENDS:,}): {told}")
        numbers = values(steps)
        ours = write_ours(folder, numbers)
        lone = write_lone(folder, numbers[: LONE // METRICS])
        sides: dict[str, Callable[[], int]] = {"nucleate": lambda: open_ours(ours)}
        if importlib.util.find_spec("tensorboard"):
            events = write_tensorboard(folder, numbers)
            sides["TensorBoard"] = lambda: open_tensorboard(events)
        if storage := trackio_storage(folder):
            write_trackio(numbers, storage)
            sides["trackio"] = lambda: open_trackio(storage)
        times: dict[str, list[float]] = {side: [] for side in sides}
        busy: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(turns):
            for side, opens in sides.items():
                begin, used = time.perf_counter(), time.process_time()
                assert opens() == numbers.size, side
                times[side].append(time.perf_counter() - begin)
                busy[side].append(time.process_time() - used)
        base = median(busy["nucleate"])
        for side, taken in times.items():
            print(
                f"open {numbers.size:,} readings, {side}: {median(taken):.2f} s "
                f"({min(taken):.2f}-{max(taken):.2f}); {median(busy[side]):.2f} s of processor, "
                f"{median(busy[side]) / base:.1f}×"
            )
        used = time.process_time()
        count = open_ours(lone)
        each = (time.process_time() - used) / count
        print(f"open {count:,} readings of one record each, nucleate: {each * 1e6:.1f} µs each")


def main() -> None:
    """Compare at the size that the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    compare(chosen.steps, chosen.turns)


if __name__ == "__main__":
    main()
