"""`nucleate detect`: a table in, verdicts out; mistakes are one line with exit code 2."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nucleate import __version__, cli
from nucleate.detect import ALPHA, MAX_WIDTH

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}

STEPS = np.unique(np.round(np.logspace(1, 5, 27))).astype(int)


def detect(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nucleate.cli", "detect", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
        check=False,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 27 checkpoints: a score that jumps, a norm that falls smoothly."""
    noise = np.random.default_rng(0).normal(0, 0.01, (2, STEPS.size))
    accuracy = 0.25 + 0.5 * (STEPS > 2000) + noise[0]
    loss = 3.0 + 6.0 * STEPS**-0.3 + noise[1]
    rows = [f"{s},{a:.4f},{v:.4f}" for s, a, v in zip(STEPS, accuracy, loss, strict=True)]
    path = tmp_path_factory.mktemp("tables") / "curves.csv"
    path.write_text("\n".join(["step,score,norm", *rows]) + "\n")
    return path


def test_it_says_what_is_sharp_and_what_is_not(table: Path) -> None:
    done = detect(table)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 curves, 27 readings each, steps 10–100k" in done.stdout
    assert "1 of 2 curves changes sharply: score at" in done.stdout
    assert "Not sharp: 1 falls broadly." in done.stdout
    assert "decades apart: nothing narrower can be shown." in " ".join(done.stdout.split())
    assert max(len(line) for line in done.stdout.splitlines() if str(table) not in line) <= 80


def test_json_is_all_there_is_on_standard_output(table: Path, tmp_path: Path) -> None:
    done = detect(table, "--json", "--seed", "1", "--report", tmp_path / "page.html")
    found = json.loads(done.stdout)
    assert (done.returncode, found["schema"]) == (0, "nucleate.detect/1")
    assert found["nucleate"] == __version__
    assert found["settings"] == {"alpha": ALPHA, "max_width": MAX_WIDTH, "seed": 1}
    verdicts = {each["metric"]: each["verdict"] for each in found["curves"]}
    assert verdicts == {"score": "step-like", "norm": "broad rise"}
    assert "score" in (tmp_path / "page.html").read_text()


def test_the_page_is_named_after_the_source_and_holds_the_command(
    table: Path, tmp_path: Path
) -> None:
    done = detect(table, "--report", "--metric", "sco*", cwd=tmp_path)
    assert "report  curves.detect.html" in done.stdout
    page = (tmp_path / "curves.detect.html").read_text()
    assert f"nucleate detect {table} --report --metric &#39;sco*&#39;" in page


def test_several_files_are_several_runs(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(table.read_text())
    done = detect(table, other, "--metric", "score", "--json")
    assert [each["run"] for each in json.loads(done.stdout)["curves"]] == ["curves", "other"]


def test_a_trainer_state_is_read(tmp_path: Path) -> None:
    history = [{"step": int(step), "loss": 3 + 6 * float(step) ** -0.3} for step in STEPS]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"global_step": 100000, "log_history": history}))
    done = detect(path)
    assert done.returncode == 0, done.stderr
    assert "loss" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv"], "missing.csv"),
        (["curves.csv", "--step", "nothing"], "nothing"),
        (["curves.csv", "--metric", "nothing*"], "nothing"),
        (["curves.csv", "--alpha", "1.5"], "--alpha is out of range"),
        (["curves.csv", "--alpha", "nan"], "--alpha is out of range"),
        (["curves.csv", "--max-width", "9"], "--max-width is out of range"),
        (["curves.csv", "page.html"], "write it with --report"),
        (["page.html", "--report"], "say what to look at"),
        (["curves.csv", "--report", "curves.csv/page.html"], "cannot be written"),
    ],
)
def test_mistakes_are_one_line(table: Path, arguments: list[str], words: str) -> None:
    done = detect(*arguments, cwd=table.parent)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.strip()
    assert words in line
    assert line.startswith("nucleate: ")
    assert "\n" not in line
    assert len(line) <= 200 + len("nucleate: ")


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['nucleate', 'detect', '--help']\n"
        "from nucleate.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'scipy', 'numpy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert time.perf_counter() - begin < 5.0
    assert "--max-width" in done.stdout


def test_defaults_are_those_of_the_detector() -> None:
    given = inspect.signature(cli.detect).parameters
    assert (given["alpha"].default, given["max_width"].default) == (ALPHA, MAX_WIDTH)
