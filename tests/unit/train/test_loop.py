"""The reference loop: unchanged by its observer, and resumable bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from nucleate.core import Mark, Reading, RunFolderError, Step
from nucleate.models import find_checkpoints, load_checkpoint
from nucleate.store import Manifest, Run, RunWriter
from nucleate.train.loop import Loop
from nucleate.train.recipe import Recipe
from nucleate.train.session import run
from nucleate.train.workload import build_workload
from tests.unit.train.conftest import fingerprint, tiny


class Killed(BaseException):
    """Stands for a process that dies: nothing may catch it."""


class KillAt:
    """A listener that dies after a given step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_start(self, total_tokens: int, primary: Any) -> None:
        pass

    def on_step(self, step: Step, loss: float) -> None:
        if step.step == self.step:
            raise Killed

    def on_readings(self, step: Step, readings: list[Reading]) -> None:
        pass


def trained(path: Path, recipe: Recipe, *, observed: bool = True) -> Loop:
    torch.manual_seed(99)
    with RunWriter.create(path, Manifest("test")) as writer:
        loop = Loop(recipe, build_workload(recipe), writer, observed=observed)
        loop.run()
    return loop


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_observer_changes_nothing(tmp_path: Path, optimizer: str) -> None:
    recipe = tiny(optimizer={"kind": optimizer})
    with_probes = fingerprint(trained(tmp_path / "a", recipe))
    without = fingerprint(trained(tmp_path / "b", recipe, observed=False))
    assert with_probes == without
    # The comparison means something only if one run really was observed and the other was not.
    assert len(Run.open(tmp_path / "a").readings()) > 50
    assert not Run.open(tmp_path / "b").readings()


def test_fingerprint_sees_a_single_changed_weight(tmp_path: Path) -> None:
    loop = trained(tmp_path / "a", tiny())
    before = fingerprint(loop)
    with torch.no_grad():
        next(loop.model.parameters()).view(-1)[0] += 1e-6
    after = fingerprint(loop)
    assert before["weights"] != after["weights"]
    assert before["optimizer"] == after["optimizer"]


@pytest.mark.parametrize("kill_at", [1, 5, 6, 13, 23])
def test_killed_and_resumed_is_bit_identical(tmp_path: Path, kill_at: int) -> None:
    recipe = tiny(resume_every=256 * 1)
    whole = run(recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        run(recipe, tmp_path / "cut", listener=KillAt(kill_at))
    if kill_at == 1:  # it died before the first resume point
        with pytest.raises(RunFolderError, match="has no resume point"):
            run(recipe, tmp_path / "cut", resume=True)
    else:
        run(recipe, tmp_path / "cut", resume=True)
        ends = [load_checkpoint(path / "resume") for path in (whole, tmp_path / "cut")]
        states = [end.model.state_dict() for end in ends]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        moments = [end.tensors("optimizer.safetensors") for end in ends]
        assert moments[0].keys() == moments[1].keys()
        assert all(torch.equal(moments[0][key], moments[1][key]) for key in moments[0])
        one, other = Run.open(whole), Run.open(tmp_path / "cut")
        # It died after `kill_at` steps, before that step was saved: one step was done twice.
        parts = {entry.part: entry.flops for entry in other.ledger()}
        assert parts["discarded work"] == pytest.approx(one.losses()[0][0].flops, rel=1e-9)
        assert "discarded work" not in {entry.part for entry in one.ledger()}
        assert one.losses()[1] == other.losses()[1]
        assert {k: c.values for k, c in one.curves().items()} == {
            k: c.values for k, c in other.curves().items()
        }


def test_same_seed_same_weights_other_seed_other_weights(tmp_path: Path) -> None:
    prints = [fingerprint(trained(tmp_path / n, tiny(seed=s))) for n, s in ("a1", "b1", "c2")]
    assert prints[0]["weights"] == prints[1]["weights"] != prints[2]["weights"]


def test_run_folder_opens_in_transformers(tmp_path: Path) -> None:
    path = run(tiny(), tmp_path / "run")
    step, folder = find_checkpoints(path / "checkpoints")[-1]
    assert step.tokens == 24 * 256
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(path / "tokenizer")
    ids = tokenizer("anna was in the mill .", return_tensors="pt").input_ids
    assert ids.shape == (1, 6)
    assert torch.isfinite(model(ids).logits).all()


def test_loss_of_an_untrained_model_is_that_of_a_uniform_guess(tmp_path: Path) -> None:
    path = run(tiny(), tmp_path / "run")
    _, losses = Run.open(path).losses()
    vocabulary = len(AutoTokenizer.from_pretrained(path / "tokenizer"))
    assert losses[0] == pytest.approx(torch.tensor(float(vocabulary)).log().item(), abs=0.1)
    assert losses[-1] < losses[0] - 0.1


def test_ledger_adds_up(tmp_path: Path) -> None:
    run_folder = Run.open(run(tiny(), tmp_path / "run"))
    parts = {entry.part: entry for entry in run_folder.ledger()}
    last = run_folder.last
    assert last is not None
    training = sum(e.flops for part, e in parts.items() if part not in ("probes", "training"))
    assert training == pytest.approx(last.flops, rel=1e-9)
    assert parts["probes"].flops > 0
    assert parts["training"].mark is Mark.MEASURED
    assert parts["backward"].mark is Mark.MODELLED


_NEOX = {"family": "neox", "layers": 1, "width": 32, "heads": 2}
_MIXTRAL = {"family": "mixtral", "layers": 1, "width": 16, "heads": 2}
_COSINE = {"kind": "cosine", "warmup_tokens": 512}


@pytest.mark.parametrize(
    "changes",
    [{"precision": "bf16"}, {"model": _NEOX}, {"model": _MIXTRAL}, {"schedule": _COSINE}],
    ids=["bf16", "neox", "mixtral", "cosine"],
)
def test_every_kind_of_run_learns(tmp_path: Path, changes: dict[str, Any]) -> None:
    _, losses = Run.open(run(tiny(**changes), tmp_path / "run")).losses()
    assert losses[-1] < losses[0] - 0.1
