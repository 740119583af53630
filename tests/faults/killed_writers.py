"""Fork writers, kill each at a seeded moment, and print how many records each had acknowledged.

Run as ``python killed_writers.py FOLDER KILLS``; one line of JSON for each kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from nucleate.core import Reading, Step
from nucleate.core.heads import HeadScores, HeadTable
from nucleate.store import Manifest, RunWriter

ATTEMPTS = 4
"""Kills in one folder: every attempt after the first resumes where the last was killed."""


def write_record(writer: RunWriter, i: int) -> None:
    """Write record ``i``: a loss, a Reading, a batch with a side file, or arrays of heads."""
    at = Step(i, i * 1024)
    if i % 16 == 7:
        values = np.full((1, 2), i / 3)
        writer.heads(at, HeadTable({"a": HeadScores("a", values, values, 0.0, 1)}))
    elif i % 8 == 3:
        writer.readings(at, [Reading("batch.nats", i / 3, items=(i / 4,) * 9)])
    elif i % 2:
        writer.reading(at, Reading("lone.nats", i / 3, items=(i / 4,) * (i % 99)))
    else:
        writer.loss(at, i / 7, 1.0)


def _write_for_ever(path: Path, last: int, pipe: int) -> None:
    if last:
        writer = RunWriter.resume(path, Step(last, last * 1024))
    else:
        writer = RunWriter.create(path, Manifest("killed"))
    i = last
    while True:
        i += 1
        write_record(writer, i)
        os.write(pipe, b"%d\n" % i)


def _kill_one(path: Path, last: int, generator: random.Random) -> int:
    """Return the last record that was acknowledged."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _write_for_ever(path, last, theirs)
    os.close(theirs)
    enough = last + generator.randrange(1, 40)
    with os.fdopen(ours, "rb") as acknowledged:
        while last < enough:
            last = int(acknowledged.readline())
        time.sleep(generator.choice((0.0, generator.uniform(0.0, 0.002))))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        for line in acknowledged:
            last = int(line)
    return last


def main(folder: Path, kills: int) -> None:
    """Kill that many writers."""
    last = 0
    for seed in range(kills):
        path = folder / f"run{seed // ATTEMPTS}"
        last = _kill_one(path, 0 if seed % ATTEMPTS == 0 else last, random.Random(seed))
        print(json.dumps({"run": path.name, "acknowledged": last}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
