"""Eight writers and four live readers on one run folder: nothing lost, no errors, and the lag.

Run with ``python -m benchmarks.store_load --seconds 60``. The lag is the time from a record's own
time stamp to when a reader that asks again every 50 ms has it in hand.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import Event, Reading, Step
from nucleate.store import LogReader, Manifest, Run, RunWriter

ROOT = Path(__file__).parents[1]
WRITERS, READERS, BATCH = 8, 4, 10
EVERY = 0.05
"""Seconds between two looks of a reader."""


def write(path: Path, rank: int, seconds: float, rate: float) -> None:
    """Write batches of Readings, losses and items at a rate; print how many were acknowledged."""
    join = RunWriter.create(path, Manifest("load")) if rank == 0 else RunWriter.join(path, rank)
    begin, i = time.monotonic(), 0
    with join as writer:
        while time.monotonic() - begin < seconds:
            i += 1
            at = Step(i, i * 1024)
            items = (float(i),) * 16 if i % 50 == 0 else ()
            readings = [Reading(f"r{rank}.m{k}.nats", i + k, items=items) for k in range(BATCH)]
            writer.readings(at, readings)
            writer.event(Event(at, "beat", f"{rank} {i}"))
            time.sleep(max(0.0, begin + i / rate - time.monotonic()))
        if rank == 0:
            writer.finish("finished", at)
    print(json.dumps({"rank": rank, "batches": i}))


def read(path: Path, seconds: float) -> None:
    """Follow the run: its curves once a second, its records 20 times; print the lags."""
    begin, next_curves = time.monotonic(), 0.0
    while not (path / "run.json").exists():
        time.sleep(0.01)
    log, run, lags, seen = LogReader(path / "log"), Run.open(path), [], 0
    while (now := time.monotonic() - begin) < seconds:
        for record in log.read():
            lags.append(time.time() - record.time)
            seen += 1
        if now > next_curves:
            next_curves = now + 1.0
            for curve in run.curves().values():
                assert curve.values[-1] == curve.steps[-1].step + int(curve.metric.split("m")[1][0])
        time.sleep(EVERY)
    print(json.dumps({"records": seen, "lags": lags, "damaged": log.damaged + run.damaged}))


def load(folder: Path, seconds: float, rate: float = 20.0) -> dict[str, Any]:
    """Let writers and readers run, and count.

    Args:
        folder: Where to make the run folder.
        seconds: For how long.
        rate: Batches a second of each writer.
    """
    path = folder / "run"
    base = [sys.executable, "-m", "benchmarks.store_load", "--path", str(path)]
    base += ["--seconds", str(seconds), "--rate", str(rate)]
    jobs = [["--rank", str(rank)] for rank in range(WRITERS)] + [["--reader"]] * READERS
    running = [
        subprocess.Popen(
            [*base, *job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for job in jobs
    ]
    ends = [process.communicate() for process in running]
    errors = [err for process, (_, err) in zip(running, ends, strict=True) if process.returncode]
    told = [json.loads(out) for (out, _) in ends if out.strip()]
    writers, readers = told[:WRITERS], told[WRITERS:]
    run = Run.open(path)
    curves = run.curves()
    lost = 0
    for writer in writers:
        wanted = set(range(1, writer["batches"] + 1))
        for k in range(BATCH):
            curve = curves[f"r{writer['rank']}.m{k}.nats"]
            lost += len(wanted - {step.step for step in curve.steps})
        lost += sum(
            len(run.items(f"r{writer['rank']}.m0.nats", step)) != 16
            for step in range(50, writer["batches"] + 1, 50)
        )
    lags = np.array([lag for reader in readers for lag in reader["lags"]])
    acknowledged = sum(writer["batches"] for writer in writers)
    return {
        "errors": errors,
        "readings": acknowledged * BATCH,
        "lost": lost + 2 * acknowledged - _kept(path),
        "damaged": sum(reader["damaged"] for reader in readers) + run.damaged,
        "lag_median": float(np.median(lags)),
        "lag_p95": float(np.quantile(lags, 0.95)),
        "status": str(run.status),
    }


def _kept(path: Path) -> int:
    kinds = [record.kind for record in LogReader(path / "log").read()]
    return kinds.count("readings") + kinds.count("event")


def many_at_once(seconds: float, rate: float = 20.0) -> str:
    """Return one line about a load in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = load(Path(folder), seconds, rate)
    return (
        f"{WRITERS} writers, {READERS} live readers, {seconds:.0f} s: "
        f"{found['readings']:,} readings acknowledged, {found['lost']} lost, "
        f"{len(found['errors'])} errors, {found['damaged']} damaged; lag "
        f"{found['lag_median']:.3f} s median, {found['lag_p95']:.3f} s p95"
    )


def main() -> None:
    """Run one part, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--path", type=Path)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--reader", action="store_true")
    chosen = parser.parse_args()
    if chosen.reader:
        read(chosen.path, chosen.seconds)
    elif chosen.rank is not None:
        write(chosen.path, chosen.rank, chosen.seconds, chosen.rate)
    else:
        print(many_at_once(chosen.seconds, chosen.rate))


if __name__ == "__main__":
    main()
