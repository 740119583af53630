"""A scan that is killed outright goes on where it was, and nothing is asked twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nucleate.observe.scan import scan
from nucleate.store import LogReader, Run

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(folder: Path, out: Path, *more: str) -> list[str]:
    ask = ["--suite", "story", "--items", "24", "--context", "64", "--out", str(out)]
    return [sys.executable, "-m", "nucleate.cli", "scan", str(folder), *ask, *more]


def start(*arguments: str) -> subprocess.Popen[str]:
    # Where the tests run in the background, Ctrl-C is ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            arguments,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C goes to a whole group
        )
    finally:
        signal.signal(signal.SIGINT, before)


def records(out: Path) -> list[tuple[str, int]]:
    return [
        (str(record.data["checkpoint"]), int(record.data["part"]))
        for record in LogReader(out / "log").read()
        if record.kind == "scored"
    ]


def wait_for(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and len(records(out)) < count:
        time.sleep(0.005)


def values(out: Path) -> list[tuple[object, str, bytes]]:
    run = Run.open(out)
    return [
        (step, repr(reading), run.items(reading.metric, step.step).tobytes())
        for step, reading in run.readings()
    ]


@pytest.fixture
def series(tmp_path: Path, make_series: Callable[..., Path]) -> Path:
    return make_series(tmp_path / "s")


@pytest.mark.parametrize("seed", range(2))
def test_kill_nine_at_a_random_moment(series: Path, tmp_path: Path, seed: int) -> None:
    out, whole = tmp_path / "cut", tmp_path / "whole"
    process = start(*command(series, out, "--quiet"))
    wait_for(out, random.Random(seed).randrange(3, 60), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    before = records(out)
    assert str(Run.open(out).status) == "interrupted"
    for folder in (out, whole):
        scan(str(series), out=folder, suite="story", items=24, context=64, device="cpu")
    after = records(out)
    assert after[: len(before)] == before
    assert len(after) == len(set(after)) == len(records(whole))
    assert values(out) == values(whole)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_how_to_go_on(series: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "cut"
    process = start(*command(series, out, "--workers", workers))
    wait_for(out, 9, process)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith(
        f"nucleate: interrupted; go on with: nucleate scan {series}"
    )
    assert str(Run.open(out).status) == "interrupted"
    assert "Traceback" not in said
