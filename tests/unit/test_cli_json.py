"""What `--json` prints is one strict JSON object and nothing else, whatever the command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nucleate.bridges.lm_eval.commands import commands as suite_commands
from nucleate.cli import app
from nucleate.core import Level, Reading, Step
from nucleate.core.printed import as_text, plain
from nucleate.store import Manifest, RunWriter
from tests.unit.views.synthetic import write_run

PATHS_ONLY = {"report", "export", "import_", "figure", "ui", "results"}
"""Commands that print what they wrote or where they are, and no results."""


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def printed(*arguments: object) -> dict[str, Any]:
    """Run a command and read the one line that it may print."""
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.isascii()
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return found


def made_scan(path: Path, value: float) -> Path:
    """Write the scan of one checkpoint: an accuracy, and a loss that is not finite."""
    manifest = Manifest(
        name=path.name,
        recipe={"scan": "m", "suite": "story", "axis": "step"},
        environment={},
        seeds={},
        primary={"syntax": "agreement.simple"},
        created="2026-11-23T06:30:00+00:00",
        nucleate="0.1.0",
    )
    accuracy = Reading("agreement.simple.accuracy", value, 0.02, 400, 0.5, "fraction", Level.SYNTAX)
    broken = replace(accuracy, metric="loss.held_out.nll", value=math.nan, se=math.nan)
    with RunWriter.create(path, manifest) as writer:
        writer.readings(Step(8, 8), [accuracy, broken])
        writer.finish("finished", Step(8, 8))
    return path


def test_every_command_that_prints_results_has_it() -> None:
    lacking = {
        one.callback.__name__
        for group in (app, suite_commands)
        for one in group.registered_commands
        if "as_json" not in one.callback.__annotations__
    }
    assert lacking == PATHS_ONLY


def test_show_says_what_the_terminal_says(tmp_path: Path) -> None:
    found = printed("show", write_run(tmp_path / "a"), "--json")
    assert found["schema"] == "nucleate.show/1"
    assert (found["name"], found["status"]) == ("story world, 3 × 64, seed 0", "finished")
    assert found["last"]["tokens"] == 6_000_000
    curves = {curve["metric"]: curve for curve in found["curves"]}
    assert len(curves) == 27  # 12 accuracies, their margins, 3 divergences
    sharp = curves["agreement.attractor.accuracy"]
    assert 5.5e5 < sharp["at"] < 6.7e5  # made at 610k
    assert (sharp["level"], sharp["chance"]) == ("syntax", 0.5)
    assert curves["state.where.accuracy"]["says"] == "never left chance"
    assert curves["state.where.accuracy"]["at"] is None
    assert found["phases"][0]["begin_percent"] == 0
    assert found["scores"] == []
    assert [event["kind"] for event in found["events"]].count("checkpoint") == 6


def test_table_of_seeds(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / f"seed{k}", seed=k) for k in (0, 1)]
    found = printed("table", *folders, "--json", "--metric", "agreement.attractor.accuracy")
    assert found["schema"] == "nucleate.table/1"
    assert found["of"] == "seeds"
    assert [run["run"] for run in found["runs"]] == [str(folder) for folder in folders]
    (row,) = found["rows"]
    assert (row["runs"], row["changed"]) == (2, 2)
    assert row["at"]["min"] <= row["at"]["median"] <= row["at"]["max"]
    assert sum(row["verdicts"].values()) == 2


def test_table_and_show_of_scans_with_a_value_that_is_not_finite(tmp_path: Path) -> None:
    folders = [made_scan(tmp_path / name, value) for name, value in (("one", 0.75), ("two", 0.85))]
    found = printed("table", *folders, "--json", "--report", tmp_path / "page.html")
    assert found["of"] == "scans"
    assert found["report"] == str(tmp_path / "page.html")
    rows = {row["metric"]: row for row in found["rows"]}
    first, second = rows["agreement.simple.accuracy"]["cells"]
    assert (first["value"], first["difference"]) == (0.75, None)
    assert second["difference"] == pytest.approx(0.1)
    assert second["difference_se"] == pytest.approx(0.02 * math.sqrt(2))
    assert rows["loss.held_out.nll"]["cells"][0]["value"] is None
    shown = printed("show", folders[0], "--json")
    assert shown["axis"] == "step"
    assert {row["metric"] for row in shown["scores"]} == set(rows)


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (("doctor", "RUN"), "nucleate.doctor/1"),
        (("cost", "--run", "RUN"), "nucleate.cost/1"),
        (("cost", "--params", "1e308", "--tokens", "1e308"), "nucleate.cost/1"),
    ],
)
def test_other_commands_follow_the_same_rules(
    arguments: tuple[str, ...], schema: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "a")
    found = printed(*(run if word == "RUN" else word for word in arguments), "--json")
    assert next(iter(found)) == "schema"
    assert found["schema"] == schema


def test_numbers_of_numpy_infinities_and_names_of_any_bytes_become_strict_json() -> None:
    import numpy as np

    content = {"a": (np.float32(0.5), np.bool_(True), -math.inf), "b\udcff": np.arange(2), 3: None}
    assert plain(content) == {"a": [0.5, True, None], "b\udcff": [0, 1], "3": None}
    assert json.loads(as_text(content)) == plain(content)
    assert as_text(content).isascii()
