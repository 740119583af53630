"""Tasks in processes: one thread each, failures told, Ctrl-C passed on once, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nucleate.core import DataError
from nucleate.studies.savings.pool import Processes, Task, here

pytestmark = pytest.mark.skipif(not hasattr(os, "setpgrp"), reason="needs POSIX signals")


def square(number: int) -> tuple[int, str]:
    return number * number, os.environ["OMP_NUM_THREADS"]


def breaks(how: str) -> None:
    if how == "mistake":
        raise DataError("no such file", where="x.txt")
    if how == "defect":
        raise ZeroDivisionError("by nothing")
    os._exit(9)


def waits(folder: str, number: int) -> None:
    """Wait to be interrupted, and write down that it happened, as a training run does."""
    Path(folder, f"{number}.ready").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(folder, f"{number}.saved").touch()
        raise


def test_values_come_back_and_every_process_has_one_thread() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    tasks = [Task(str(n), square, {"number": n}) for n in range(3)]
    found = {outcome.key: outcome.value for outcome in Processes(2)(tasks)}
    assert found == {"0": (0, "1"), "1": (1, "1"), "2": (4, "1")}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_failures_are_told_and_end_nothing_else() -> None:
    tasks = [Task(how, breaks, {"how": how}) for how in ("mistake", "defect", "death")]
    found = {outcome.key: outcome for outcome in Processes(3)(tasks)}
    assert (found["mistake"].error, found["mistake"].mistake) == ("x.txt: no such file", True)
    assert found["defect"].error == "ZeroDivisionError: by nothing"
    assert "breaks" in found["defect"].trace
    assert found["death"].error == "the process died without a word (memory?)"


def test_here_and_in_processes_say_the_same() -> None:
    task = Task("a", breaks, {"how": "mistake"})
    assert list(here([task])) == list(Processes(1)([task]))


SCRIPT = """
import signal
import sys
from nucleate.studies.savings.pool import Processes, Task
from tests.unit.studies.test_savings_pool import waits
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs begin deaf to it
    tasks = [Task(str(n), waits, {"folder": sys.argv[1], "number": n}) for n in range(3)]
    try:
        list(Processes(2)(tasks))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_study_and_save_before(tmp_path: Path, how: int) -> None:
    script = tmp_path / "study.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[3]
    study = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list(tmp_path.glob("*.ready"))) < 2:
        assert study.poll() is None
        time.sleep(0.05)
    if how == signal.SIGINT:
        os.killpg(study.pid, how)  # as a terminal does: the whole group hears it
    else:
        study.kill()
    said, complaint = study.communicate(timeout=300)
    assert len(list(tmp_path.glob("*.ready"))) == 2  # the third was never begun
    if how == signal.SIGINT:
        assert (said, complaint) == ("interrupted\n", "")
        assert len(list(tmp_path.glob("*.saved"))) == 2
