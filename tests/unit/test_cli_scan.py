"""nucleate scan and the comparison of what it scanned, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nucleate.store import Run

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
ASK = ("--suite", "story", "--items", "8", "--context", "64")


def nucleate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nucleate.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.fixture
def series(tmp_path: Path, make_series: Callable[..., Path]) -> Path:
    return make_series(tmp_path / "series", manifest=False)


def test_scan_prints_scores_and_leaves_a_run_and_a_page(series: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = nucleate("scan", str(series), *ASK, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "8 of 8 checkpoints to score" in done.stderr
    assert "8/8 | step20" in done.stderr
    assert "at 20 steps" in done.stdout
    assert "Scores" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    page = (out / "report.html").read_text()
    assert "over training steps" in page
    assert "training tokens" not in page
    assert str(Run.open(out).status) == "finished"
    shown = nucleate("show", str(out))
    assert shown.returncode == 0, shown.stderr
    again = nucleate("scan", str(series), *ASK, "--out", str(out), "--json", "--quiet")
    data = json.loads(again.stdout)
    assert again.stderr == ""
    assert data["schema"] == "nucleate.scan/1"
    assert data["axis"] == "step"
    assert {reading["step"] for reading in data["readings"]} == {1, 2, 4, 6, 9, 12, 16, 20}
    assert all(reading["tokens"] == reading["step"] for reading in data["readings"])
    both = nucleate("table", str(out), str(out), "--report", str(tmp_path / "page.html"))
    assert both.returncode == 0, both.stderr
    assert "+.00" in both.stdout  # a model differs from itself by nothing
    text = (tmp_path / "page.html").read_text()
    assert "series (out)" in text
    assert "<svg" in text
    assert "src=" not in text
    assert "default-src 'none'" in text.replace("&#39;", "'")


def test_tasks_of_lm_eval_are_asked_by_pattern(series: Path, tmp_path: Path) -> None:
    rows = [{"c": f"anna gave {who} the", "o": [" key", " drum"]} for who in ("tom", "lily") * 8]
    data = tmp_path / "gifts.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, right in (("gifts_first", 0), ("gifts_second", 1)):
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": "gifts.jsonl"}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{c}}",
            "doc_to_choice": "{{o}}",
            "doc_to_target": right,
            "target_delimiter": "",
        }
        (tmp_path / f"{name}.yaml").write_text(json.dumps(task))  # JSON is YAML
    where = ("--revisions", "step[19]", "--out", str(tmp_path / "out"))
    done = nucleate(
        "scan", str(series), "--suite", str(tmp_path / "gifts_*.yaml"), *where, "--json", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["suite"] == "sets"
    right: dict[str, dict[int, float]] = {}
    for reading in found["readings"]:
        right.setdefault(reading["metric"], {})[reading["step"]] = reading["value"]
    for step in (1, 9):  # what is right for one task is wrong for the other
        both = (right["gifts_first.accuracy"][step], right["gifts_second.accuracy"][step])
        assert sum(both) == 1


def mistake(*arguments: str) -> str:
    """Run a command that must fail and return its one line."""
    done = nucleate(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    assert "no such file or folder" in mistake("scan", str(tmp_path / "x"))
    (tmp_path / "arrays.npz").touch()
    assert "archive of arrays" in mistake("scan", str(tmp_path / "arrays.npz"))
    assert "did you mean 'coherence'?" in mistake("scan", str(tmp_path), "--suite", "coherance")
    both = mistake("scan", str(tmp_path), "--suite", "text", "--suite", "story")
    assert "a suite is asked by itself" in both
