"""Runs that pull levers, stopped and resumed after every one of their steps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from nucleate.store import Run
from tests.unit.train.levers.conftest import STEPS, Pulls, end, go_on, loop_in, short

DATA_DEPTH_LENGTH_DECAY: Pulls = {
    0: [("cooccurrence", 0.05), ("depth", 1), ("sequence", 8), ("warm", 1.0)],
    8: [("warm", 0.25), ("dense", 0.5)],
    15: [("depth", 2)],
    16: [("sequence", 16), ("warm", 0)],
    30: [("decay", 320)],
}
ALL_OTHERS: Pulls = {
    1: [("coarsen", 4)],
    3: [("coarsen", 1), ("freeze", 1)],
    6: [("batch", 4), ("reinforce", 0.1)],
    7: [("ablate", True)],
    8: [("upcycle", 4), ("batch", 2)],
    9: [("ablate", False)],
    10: [("freeze", 0), ("decay", 0.25)],
}


def stopped_everywhere(folder: Path, pulls: Pulls, **changes: Any) -> tuple[int, int]:
    """Return the steps of a run, and how many resumptions ended as it did, bit by bit.

    Compared are weights, optimisers, random state, every batch, clock, ledger and position.
    """
    recipe = short(**changes)
    with loop_in(folder / "whole", recipe) as whole:
        batches = go_on(whole, pulls, keep=folder / "kept")
        expected = end(whole)
    identical = 0
    for step in range(1, len(batches) + 1):
        cut_folder = folder / f"cut{step}"
        with loop_in(cut_folder, recipe) as cut:
            shutil.copytree(folder / "kept" / str(step) / "resume", cut_folder / "resume")
            cut.resume()
            assert cut.step.step == step
            same_batches = go_on(cut, pulls) == batches[step:]
            identical += same_batches and end(cut) == expected
    return len(batches), identical


def test_resumed_after_every_step_is_bit_identical(tmp_path: Path) -> None:
    found = stopped_everywhere(tmp_path, DATA_DEPTH_LENGTH_DECAY, optimizer={"kind": "muon"})
    assert found == (STEPS, STEPS)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_so_it_is_with_every_other_lever(tmp_path: Path, optimizer: str) -> None:
    """Coarse tokens, frozen layers, batches, reinforcement, experts, averaged heads; 10¼ steps."""
    found = stopped_everywhere(tmp_path, ALL_OTHERS, optimizer={"kind": optimizer})
    assert found == (13, 13)


def test_the_comparison_sees_a_lever_pulled_one_step_late(tmp_path: Path) -> None:
    ends = []
    for late in (15, 16):
        with loop_in(tmp_path / str(late), short(optimizer={"kind": "muon"})) as loop:
            go_on(loop, {0: [("depth", 1)], late: [("depth", 2)]})
            ends.append(end(loop))
    assert ends[0]["weights"] != ends[1]["weights"]
    assert ends[0]["state"]["ledger"] != ends[1]["state"]["ledger"]


def test_readings_that_a_cheaper_run_skips_are_skipped_after_a_resumption_too(
    tmp_path: Path,
) -> None:
    probes = {"per_decade": 12, "first_tokens": 32, "cost_cap": 6, "items": 8, "only": ["refrain"]}
    recipe, pulls = short(probes=probes), {0: [("coarsen", 4)], 30: [("coarsen", 1)]}

    def read(path: Path) -> tuple[list[int], list[int]]:
        run = Run.open(path)
        skipped = [event.step.step for event in run.events() if event.kind == "reading skipped"]
        return [step.step for step, _ in run.readings()], skipped

    with loop_in(tmp_path / "whole", recipe, observed=True) as whole:
        go_on(whole, pulls, keep=tmp_path / "kept")
        assert whole.observer is not None
        expected = whole.observer.state() | {"seconds": 0}
        assert whole.observer.flops <= 6 * whole.training.ledger.total
    readings, skipped = read(tmp_path / "whole")
    assert skipped
    assert STEPS in readings
    for step in (5, 18, 31):
        with loop_in(tmp_path / f"cut{step}", recipe, observed=True) as cut:
            shutil.copytree(tmp_path / "kept" / str(step) / "resume", cut.writer.path / "resume")
            cut.resume()
            go_on(cut, pulls)
            assert cut.observer is not None
            assert cut.observer.state() | {"seconds": 0} == expected
        later = tuple([each for each in part if each > step] for part in (readings, skipped))
        assert read(tmp_path / f"cut{step}") == later


def test_a_run_without_pulls_skips_no_reading_under_the_tightest_cap(tmp_path: Path) -> None:
    probes = {"per_decade": 8, "first_tokens": 32, "cost_cap": 99, "items": 8, "only": ["refrain"]}
    taken: list[list[int]] = []
    for name in ("free", "tight"):
        with loop_in(tmp_path / name, short(probes=probes), observed=True) as loop:
            go_on(loop, {})
            assert loop.observer is not None
        run = Run.open(tmp_path / name)
        assert "reading skipped" not in [event.kind for event in run.events()]
        taken.append(sorted({step.step for step, _ in run.readings()}))
        planned = loop.observer.flops / len(taken[-1]) * len(loop.observer.points)
        probes["cost_cap"] = planned / loop.training.ledger.total * (1 + 1e-12)
    assert taken[0] == taken[1]
