"""The command line: quick, and mistakes are one line with exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nucleate.bridges.lm_eval.commands import commands as suite_commands
from nucleate.cli import app, main
from nucleate.store import Run

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def nucleate(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nucleate.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=ENVIRONMENT,
        check=False,
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['nucleate', '--help']\n"
        "from nucleate.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'scipy', 'numpy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "short.yaml"
    path.write_text(
        "name: short\ntokens: 8192\nrows: 4\ncontext: 64\n"
        "model: {layers: 1, width: 16, heads: 2}\n"
        "schedule: {warmup_tokens: 512}\n"
        "probes: {per_decade: 12, first_tokens: 256, cost_cap: 10, items: 8}\n"
    )
    return path


@pytest.fixture(scope="module")
def trained(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "short"
    done = nucleate("train", str(recipe), "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert "report" in done.stdout
    return folder


def test_train_leaves_a_run_and_a_report(trained: Path) -> None:
    assert str(Run.open(trained).status) == "finished"
    page = (trained / "report.html").read_text()
    assert "<html" in page
    assert "nan" not in page.lower().replace("nanosecond", "")


def test_report_show_and_table_read_the_run(trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert nucleate("report", str(trained), "--out", str(page)).returncode == 0
    assert page.stat().st_size > 10_000
    shown = nucleate("show", str(trained))
    assert "Phases" in shown.stdout
    table = nucleate("table", str(trained), str(trained), "--markdown")
    assert "| Syntax |" in table.stdout


def mistake(*arguments: str) -> str:
    """Run a command that must fail and return its one line."""
    done = nucleate(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stderr.strip()
    assert "\n" not in line
    assert "Traceback" not in line
    assert len(line) <= len("nucleate: ") + 200
    return line


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("scan",), "MODEL_OR_DIR"),
        (("scan", "folder", "--workers", "0"), "'--workers'"),
        (("scan", "--wrkers", "2"), "--workers"),
        (("demo", "--seeds", "two"), "'--seeds'"),
        (("scna",), "scan"),
    ],
)
def test_what_the_parser_refuses_is_one_line_too(arguments: tuple[str, ...], names: str) -> None:
    line = mistake(*arguments)
    assert names in line
    command = "" if arguments[0] == "scna" else f" {arguments[0]}"
    assert line.endswith(f"see nucleate{command} --help")


def test_an_option_without_its_value_is_no_defect() -> None:
    line = mistake("train", "--text")
    assert line == "nucleate: option '--text' requires an argument; see nucleate --help"


def test_no_command_prints_the_help() -> None:
    done = nucleate()
    assert done.returncode == 2
    assert "Commands:" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "FILE"), "is not a run folder (expected a folder with run.json)"),
        (("scan", "FOLDER", "--suite", "nope"), "or a task's YAML); nucleate suite export writes"),
        (("suite", "export", "FOLDER", "--set", "zzz"), "docs/suite.md lists them"),
        (("train", "--text", "FILE"), "<|endoftext|>"),
        (("train", "STUDY"), "is a study, no recipe; nucleate study FILE runs it"),
        (("study", "RECIPE"), "is a recipe, no study; nucleate train FILE trains it"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_that_is_not_cut_off(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "few.txt").write_text("A dog saw Anna at the river. It rained all day.")
    places = {"FILE": str(tmp_path / "few.txt"), "FOLDER": str(tmp_path)}
    recipes = Path(__file__).parents[2] / "recipes"
    places |= {"STUDY": str(recipes / "savings-w1.yaml"), "RECIPE": str(recipes / "experts.yaml")}
    line = mistake(*(places.get(word, word) for word in arguments))
    assert says in line
    assert "…" not in line.replace(str(tmp_path), "").removeprefix("nucleate: …")


def test_what_is_loaded_on_first_use_can_be_found_by_completion() -> None:
    import nucleate

    assert set(nucleate.__all__) <= set(dir(nucleate))


@pytest.mark.parametrize("group", [(), ("suite",)])
def test_a_list_of_commands_is_not_cut_off_in_a_narrow_terminal(
    group: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["nucleate", *group, "--help"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    assert "Commands:" in said
    assert "..." not in said.split("Commands:")[1]


@pytest.mark.parametrize(
    ("written", "expected"), [("300000", 300_000), ("4.1M", 4_100_000), ("3e5", 300_000)]
)
def test_tokens_are_written_as_they_are_printed(
    written: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def recipe(seed: int, tokens: int) -> None:
        asked.append(tokens)
        raise KeyboardInterrupt

    monkeypatch.setattr("nucleate.train.presets.demo_recipe", recipe)
    monkeypatch.setattr(sys, "argv", ["nucleate", "demo", "--tokens", written])
    with pytest.raises(SystemExit):
        main()
    assert asked == [expected]


@pytest.mark.parametrize("written", ["", "many", "0", "1.5", "-2M", "nan", "inf", "M"])
def test_no_number_of_tokens_is_one_line(
    written: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nucleate", "train", "a.yaml", "--tokens", written])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"invalid value for '--tokens': {written!r} is no number of tokens" in line


def test_missing_files_are_one_line(tmp_path: Path) -> None:
    assert "no such file" in mistake("train", str(tmp_path / "absent.yaml"))
    assert "no such file or folder" in mistake("train", "--text", str(tmp_path / "absent.txt"))
    assert "absent" in mistake("report", str(tmp_path / "absent"))


def test_unknown_keys_suggest_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("tokens: 1000\nschedule: {warmup_token: 5}\n")
    line = mistake("train", str(path))
    assert "schedule.warmup_token" in line
    assert "did you mean 'warmup_tokens'?" in line


def test_a_broken_resume_point_is_one_line(trained: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    log = copy / "log" / "000001.jsonl"
    lines = [line for line in log.read_text().splitlines() if '"kind":"finish"' not in line]
    log.write_text("\n".join(lines) + "\n")  # as if it had been killed after its last step
    weights = copy / "resume" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    assert "model.safetensors" in mistake("train", "--resume", str(copy))


def test_a_finished_run_is_left_alone(trained: Path) -> None:
    assert "has finished" in mistake("train", "--resume", str(trained))


def test_contradictory_requests_are_one_line(recipe: Path, tmp_path: Path) -> None:
    assert "one of them" in mistake("train")
    assert "one of them" in mistake("train", str(recipe), "--text", "a.txt")
    assert "--field goes with --text" in mistake("train", str(recipe), "--field", "body")
    assert "--optimizer: must be" in mistake("train", str(recipe), "--optimizer", "sgd")
    assert "own recipe" in mistake("train", "--resume", str(tmp_path), "--seed", "1")


def test_a_taken_run_folder_is_not_overwritten(recipe: Path, trained: Path) -> None:
    before = (trained / "run.json").read_bytes()
    assert str(trained) in mistake("train", str(recipe), "--out", str(trained))
    assert (trained / "run.json").read_bytes() == before


def test_manifest_holds_the_whole_recipe(trained: Path, recipe: Path) -> None:
    manifest = json.loads((trained / "run.json").read_text())
    assert manifest["recipe"]["tokens"] == 8192
    assert manifest["recipe"]["optimizer"]["matrix_lr"] == 0.02
    assert manifest["environment"]["torch"].startswith("2.")


REQUIRED = {
    "report": "RUN",
    "show": "RUN",
    "detect": "FILE",
    "scan": "MODEL_OR_DIR",
    "study": "FILE",
    "compare": "BASE… TREATED…",
    "replay": "RUN",
    "causal": "RUN…",
    "doctor": "RUN",
    "export": "RUN",
    "import": "SOURCE",
    "figure": "RUN",
    "table": "RUN…",
    "suite export": "FOLDER",
    "suite import": "TASK.yaml",
    "suite results": "RUN",
}
"""What each command needs, by what its help calls it."""

OPTIONAL = {"demo", "ui"}
"""Commands that do something without arguments."""

OWN = {"train": "say what to train", "cost": "say what to price"}
"""Commands that need one of several things, and say which."""


def said_by(arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> tuple[Any, str, str]:
    """Return the exit status of a command line, its output and what it says on standard error."""
    monkeypatch.setattr(sys, "argv", ["nucleate", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.mark.parametrize("command", [*REQUIRED, *OWN])
def test_without_what_it_needs_a_command_says_so_in_one_line(command, monkeypatch, capsys) -> None:
    code, out, err = said_by(command, monkeypatch, capsys)
    wanted = f"missing argument '{REQUIRED.get(command)}'; see nucleate {command} --help"
    assert (code, out) == (2, "")
    assert err.startswith(f"nucleate: {OWN.get(command, wanted)}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("group", ["", "suite"])
def test_a_group_of_commands_lists_them_and_says_what_is_missing(
    group, monkeypatch, capsys
) -> None:
    code, out, err = said_by(group, monkeypatch, capsys)
    path = f"nucleate {group}".strip()
    *usage, last = err.splitlines()
    assert (code, out) == (2, "")
    assert last == f"nucleate: say what to do (expected {path} COMMAND)"
    assert f"Usage: {path} [OPTIONS] COMMAND" in usage[0]


def test_every_command_is_among_them() -> None:
    groups = [("", app), ("suite ", suite_commands)]
    names = {
        prefix + str(one.name or one.callback.__name__)
        for prefix, group in groups
        for one in group.registered_commands
    }
    assert names == {*REQUIRED, *OWN, *OPTIONAL}
