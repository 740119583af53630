"""Writers killed outright at 200 seeded points lose nothing that they had acknowledged."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nucleate.store import Run
from tests.faults.killed_writers import ATTEMPTS

KILLS = 200


def lost(run: Run, last: int) -> list[int]:
    """Return which of records 1 to ``last`` are missing, or not what was written."""
    steps, losses = run.losses()
    there = {step.step: loss * 7 for step, loss in zip(steps, losses, strict=True)}
    for name, curve in run.curves().items():
        for step, value in zip(curve.steps, curve.values, strict=True):
            items = run.items(name, step.step)
            whole = (items == step.step / 4).all()
            whole &= len(items) == (9 if name == "batch.nats" else step.step % 99)
            there[step.step] = value * 3 if whole else -1
    heads = run.heads()
    assert not heads.damaged
    for step, table in zip(heads.steps, heads.tables, strict=True):
        there[step.step] = table.scores["a"].values_LH[0, 1] * 3
    return [i for i in range(1, last + 1) if there.get(i) != pytest.approx(i)]


def test_two_hundred_kills_lose_no_acknowledged_record(tmp_path, capsys):
    script = Path(__file__).with_name("killed_writers.py")
    command = [sys.executable, str(script), str(tmp_path), str(KILLS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) == KILLS
    total, missing, seconds = 0, [], []
    for last in kills[ATTEMPTS - 1 :: ATTEMPTS]:
        begin = time.perf_counter()
        run = Run.open(tmp_path / last["run"])
        run.curves()
        seconds.append(time.perf_counter() - begin)
        assert (run.status, run.damaged) == ("interrupted", 0)
        assert len(run.attempts()) == ATTEMPTS
        total += last["acknowledged"]
        missing += lost(run, last["acknowledged"])
    with capsys.disabled():
        print(
            f"\nkill -9 at {KILLS} points: {total:,} acknowledged records, {len(missing)} lost; "
            f"re-open {statistics.median(seconds):.4f} s median, {max(seconds):.4f} s at most"
        )
    assert missing == []
    assert total > KILLS
