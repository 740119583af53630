from __future__ import annotations

import math

import pytest

from nucleate.core import Event, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.page.ending import ago, ending
from nucleate.views.page.snapshot import snapshot_of
from tests.unit.views.page.made import at, small_run


def end_of(path, now=1000.0, written=400.0):
    return ending(snapshot_of("k", Run.open(path), "s"), now, written)


def test_all_is_well(tmp_path):
    found = end_of(small_run(tmp_path / "a"))
    assert (found.state, found.headline, found.because) == ("fine", "", ())


def test_cut_off_without_a_word(tmp_path):
    found = end_of(small_run(tmp_path / "a", end=None))
    assert found.state == "failed"
    assert found.headline == (
        "Cut off at 30k tokens (step 30): killed, pre-empted, or the machine went away."
    )
    assert found.because == (
        "the log ends without a word of farewell, and no process holds its lock",
        "nothing was written for 10 min 00 s",
    )
    assert found.fix == "nucleate train --resume a"


def test_interrupted_on_request(tmp_path):
    found = end_of(small_run(tmp_path / "a", end="interrupted"))
    assert (found.state, found.headline) == (
        "stopped",
        "Interrupted on request at 30k tokens (step 30).",
    )
    watched = small_run(tmp_path / "b", end="interrupted", recipe={"watched": {}})
    assert end_of(watched).fix == ""


def test_a_loss_that_is_gone_is_dated(tmp_path):
    found = end_of(small_run(tmp_path / "a", end="interrupted", loss=math.nan))
    assert found.state == "failed"
    assert found.headline == "Training diverged; the run ends at 30k tokens (step 30)."
    assert found.because[0] == (
        "the loss is nan from step 30 (30k tokens) on; "
        "just before it was 1.617, learning rate 1.00e-03"
    )


def test_warnings_come_newest_first_and_five_at_most(tmp_path):
    path = small_run(tmp_path / "a", end=None)
    with RunWriter.resume(path, at(30)) as writer:
        for n in range(7):
            writer.event(Event(at(30), "warning", f"number {n}"))
        writer.event(Event(at(30), "checkpoint", "routine"))
    because = end_of(path).because
    assert because[0] == "warning at 30k tokens: number 6"
    assert sum("warning" in line for line in because) == 5


def test_running(tmp_path):
    path = small_run(tmp_path / "a", end=None)
    with RunWriter.resume(path, at(30)) as writer:
        assert end_of(path).state == "fine"
        writer.loss(at(31), math.inf, 1.0)
        assert (
            end_of(path).headline == "Still running, but its loss is gone at 31k tokens (step 31)."
        )


def test_a_loss_that_rose_far_is_told(tmp_path):
    path = small_run(tmp_path / "a", steps=60, end=None)
    with RunWriter.resume(path, at(60)) as writer:
        for step in range(61, 90):
            writer.loss(at(step), 9.0, 1.0)
        writer.finish("finished", at(89))
    found = end_of(path)
    assert (found.state, found.headline) == (
        "stopped",
        "Finished, with a loss far above its lowest.",
    )
    assert found.because[0].endswith("to 9.00 at the end")


@pytest.mark.parametrize(
    ("elapsed", "said"),
    [(3, "just now"), (61, "1 min ago"), (7_300, "2 hours ago"), (90_000, "1 day ago")],
)
def test_how_long_ago(elapsed, said):
    assert ago(elapsed) == said


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ((4,), "the loss was nan at step 5 (5k tokens), and came back; just before it was 1.000"),
        ((1, 8, 9), "the loss is nan from step 9 (9k tokens) on; just before it was 1.000"),
    ],
)
def test_a_loss_that_came_back_is_not_gone(tmp_path, bad, said):
    with RunWriter.create(tmp_path / "a", Manifest("a")) as writer:
        for i in range(10):
            writer.loss(Step(i + 1, 1000 * (i + 1)), math.nan if i in bad else 1.0, 1.0)
        writer.finish("finished", at(10))
    found = end_of(tmp_path / "a")
    assert found.because[0] == said
    assert (found.state == "failed") is (9 in bad)
