"""Mistakes that people make on the command line: one line in their own words, exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nucleate.cli import main
from nucleate.cli_streams import plainly
from tests.unit.views.synthetic import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "a run")


def said(arguments: list[str], monkeypatch, capsys) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["nucleate", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


MISTAKES = {
    "scan DIR --levels nope": "--levels: must be 'cooccurrence', 'syntax'",
    "scan DIR --tokens-per-step -5": "--tokens-per-step: must be greater than 0 (got -5.0)",
    "scan DIR --suite syntax": "--suite coherence --levels syntax asks that level alone",
    "scan DIR --items -3": "invalid value for '--items': must be at least 8; see nucleate scan",
    "cost --params 7e9 --tokens 1e9 --devices 0": "--devices: must be at least 1 (got 0)",
    "cost --params 7e9 --tokens 1e9 --host-watts inf": "--host-watts: must be a finite number",
    "cost --params 7e9 --tokens 1e9 --peak 100": "both positive (got --peak 100); give both",
    "cost --params 7e9 --tokens 1e9 --currency EUR": "--currency goes with --price",
    "table RUN --metric nope": "--metric: no metric of these runs has such a name (got nope)",
    "table RUN --json --markdown": "--markdown and --json are two forms of one table",
    "table RUN --report DIR/x.html": "--report goes with scanned models",
    "report RUN --out DIR": "is a folder (expected a file to write)",
    "compare RUN": "the runs are not of two recipes (got 1 recipe in 1 run); name the runs of the",
    "compare RUN --treated RUN": "(got seed 0 of the base, seed 0 of the other); the sets are",
    "demo --optimizer sgd": "nucleate: --optimizer: must be 'adamw' or 'muon' (got 'sgd')",
    "demo --out FILE": "is a file (expected a folder that is new or empty)",
    "train FILE": "is not a mapping (got text, expected key: value lines)",
    "detect DIR/t.csv --value step": "no column of training steps is left: another option has",
    "detect DIR/x.json": "no table of metrics (got keys name, recipe, expected records, columns,",
    "import DIR/t.csv --out DIR/i --tokens-per-step 1e300": "up to 1e+18 tokens in all",
    "show RUNS": "is not a run folder (expected a folder with run.json); name a run in it, such as",
    "study DIR/absent": "no such file; check the path",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_in_the_words_that_were_typed(
    words: str, run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    (tmp_path / "few.txt").write_text("hello\n")
    (tmp_path / "t.csv").write_text("step,acc\n1,0.5\n2,0.75\n")
    (tmp_path / "x.json").write_text('{"name": "x", "recipe": {"seed": 0}}')
    places = {
        "RUN": str(run),
        "RUNS": str(run.parent),
        "DIR": str(tmp_path),
        "FILE": str(tmp_path / "few.txt"),
    }
    arguments = [places.get(w, w.replace("DIR", str(tmp_path))) for w in words.split()]
    code, out, err = said(arguments, monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert MISTAKES[words] in err
    for python in ("None", "PosixPath", "NoneType", "'str'", "Input should", "levels.0"):
        assert python not in err


def test_data_that_is_not_there_or_not_asked_is_not_passed_over() -> None:
    from nucleate.core import UserError
    from nucleate.observe.scanning.settings import ScanSettings
    from nucleate.observe.scanning.suites import _refuse_what_does_not_fit

    with pytest.raises(UserError, match="--data absent: no such folder"):
        _refuse_what_does_not_fit(ScanSettings(source="m", suite="coherence", data="absent"), ())
    with pytest.raises(UserError, match="--data goes with --suite coherence"):
        _refuse_what_does_not_fit(ScanSettings(source="m", suite="story", data="."), ())


def shell(line: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $NUCLEATE stands for the command."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        encoding="latin-1",
        env={**os.environ, "NUCLEATE": f"{sys.executable} -m nucleate.cli", **settings},
    )


@pytest.mark.parametrize("rest", ["doctor RUN", "show RUN", "cost --params 7e9 --tokens 2e12"])
def test_a_reader_that_has_seen_enough_is_no_failure(rest: str, run: Path) -> None:
    done = shell(f"$NUCLEATE {rest.replace('RUN', f'{str(run)!r}')} | true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
@pytest.mark.parametrize("rest", ["doctor", "show"])
def test_an_output_that_is_full_is_one_line(rest: str, run: Path) -> None:
    done = shell(f"$NUCLEATE {rest} {str(run)!r} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("nucleate: output: cannot be written (got 'No space left")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_of_another_encoding_gets_plain_signs(encoding: str, run: Path) -> None:
    done = shell(f"$NUCLEATE show {str(run)!r}", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "95 % interval" in done.stdout
    assert "story world, 3 ? 64" not in done.stdout
    assert "10-90 % width in decades" in done.stdout


def test_plain_signs() -> None:
    assert plainly("8.40 × 10²² ± 3 … é ✓") == "8.40 x 10^22 +- 3 ... ? +"


def test_an_interrupt_while_the_command_line_loads_is_no_traceback(monkeypatch, capsys) -> None:
    import builtins

    from nucleate.__main__ import main as begin

    load = builtins.__import__

    def interrupted(name: str, *rest: object) -> object:
        if name == "nucleate.cli":
            raise KeyboardInterrupt
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        begin()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "nucleate: interrupted\n"


def test_an_interrupt_of_a_command_says_so(monkeypatch, capsys) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nucleate.cli_look.opened", interrupted)
    code, out, err = said(["show", "runs/a"], monkeypatch, capsys)
    assert (code, out, err) == (130, "", "nucleate: interrupted\n")
