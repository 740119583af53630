"""A run that is killed outright goes on bit by bit from its last resume point."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nucleate.models import load_checkpoint
from nucleate.store import Run

RECIPE = """
name: kill
tokens: 40960
rows: 4
context: 64
model: {layers: 1, width: 16, heads: 2}
schedule: {warmup_tokens: 512}
probes: {per_decade: 6, first_tokens: 256, cost_cap: 10, items: 8}
resume_every: 512
"""


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nucleate.cli", "train", "--quiet", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kill") / "kill.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def whole(recipe: Path) -> Path:
    folder = recipe.parent / "whole"
    process = _start(str(recipe), "--out", str(folder))
    assert process.wait(120) == 0
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_kill_nine_at_a_random_moment(recipe: Path, whole: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "cut"
    target = random.Random(seed).randrange(10, 140)
    process = _start(str(recipe), "--out", str(folder))
    log = folder / "log"
    while process.poll() is None:
        lines = sum(path.read_bytes().count(b'"loss"') for path in log.glob("*.jsonl"))
        if lines >= target:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert str(Run.open(folder).status) == "interrupted"
    again = _start("--resume", str(folder))
    assert again.wait(120) == 0
    ends = [load_checkpoint(path / "resume").model.state_dict() for path in (whole, folder)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert Run.open(whole).losses()[1] == Run.open(folder).losses()[1]
