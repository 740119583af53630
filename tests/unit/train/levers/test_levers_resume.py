"""A run that pulls levers, stopped and resumed after every one of its steps."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.unit.train.levers.conftest import STEPS, Pulls, Tape, end, go_on, loop_in, short

PULLS: Pulls = {
    0: [("depth", 1), ("sequence", 8), ("warm", 1.0)],
    8: [("warm", 0.25), ("dense", 0.5)],
    15: [("depth", 2)],
    16: [("sequence", 16), ("warm", 0)],
    30: [("decay", 320)],
}


def test_resumed_after_every_step_is_bit_identical(tmp_path: Path) -> None:
    """Weights, optimisers, random state, tokens, clock and ledger, at the end of 40 of 40 runs."""
    recipe = short(optimizer={"kind": "muon"})
    with loop_in(tmp_path / "whole", recipe) as whole:
        batches = go_on(whole, PULLS, keep=tmp_path / "kept")
        expected = end(whole)
    assert len(batches) == STEPS
    identical = 0
    for step in range(1, STEPS + 1):
        folder = tmp_path / f"cut{step}"
        with loop_in(folder, recipe) as cut:
            shutil.copytree(tmp_path / "kept" / str(step) / "resume", folder / "resume")
            cut.resume()
            assert cut.step.step == step
            rest = go_on(cut, PULLS)
            assert rest == batches[step:], step
            assert end(cut) == expected, step
        identical += 1
    assert identical == STEPS


def test_the_end_that_is_compared_sees_a_lever_pulled_one_step_late(tmp_path: Path) -> None:
    recipe = short(optimizer={"kind": "muon"})
    ends = []
    for number, late in enumerate((15, 16)):
        with loop_in(tmp_path / str(number), recipe) as loop:
            tape = Tape(loop)
            go_on(loop, {0: [("depth", 1)], late: [("depth", 2)]})
            ends.append(end(loop))
            assert len(tape.batches) == STEPS
    assert ends[0]["weights"] != ends[1]["weights"]
    assert ends[0]["state"]["ledger"] != ends[1]["state"]["ledger"]
