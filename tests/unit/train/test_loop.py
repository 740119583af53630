"""The reference loop: unchanged by its observer, and resumable bit by bit."""

from __future__ import annotations

import itertools
import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from nucleate.core import DISCARDED, Mark, Reading, RecipeError, RunFolderError, Step
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
        next(loop.training.model.parameters()).view(-1)[0] += 1e-6
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
        assert parts[DISCARDED] == pytest.approx(one.losses()[0][0].flops, rel=1e-9)
        assert DISCARDED not in {entry.part for entry in one.ledger()}
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


def _cut(loop: Loop, where: str, call: int) -> None:
    """Make the loop die inside something, at one of its calls."""
    calls = itertools.count(1)
    owner: Any = loop.training.optimizers["adamw"] if where == "optimizer" else loop.observer
    name = "step" if where == "optimizer" else "measure"
    plain = getattr(owner, name)

    def cut(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments)

    setattr(owner, name, cut)


@pytest.mark.parametrize(("where", "call"), [("optimizer", 10), ("probe", 3)])
def test_interrupted_inside_a_step_resumes_bit_identically(
    tmp_path: Path, where: str, call: int
) -> None:
    recipe = tiny(resume_every=256 * 2)
    whole = run(recipe, tmp_path / "whole")
    workload = build_workload(recipe)
    manifest = Manifest("cut", recipe=recipe.model_dump(mode="json"))
    with RunWriter.create(tmp_path / "cut", manifest) as writer:
        loop = Loop(recipe, workload, writer)
        _cut(loop, where, call)
        with pytest.raises(KeyboardInterrupt):
            loop.run()
    run(recipe, tmp_path / "cut", resume=True)
    same_end(whole, tmp_path / "cut")


def same_end(one: Path, other: Path) -> None:
    ends = [load_checkpoint(path / "resume") for path in (one, other)]
    states = [end.model.state_dict() for end in ends]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    runs = [Run.open(path) for path in (one, other)]
    assert runs[0].losses()[1] == runs[1].losses()[1]
    values = [{k: c.values for k, c in r.curves().items()} for r in runs]
    assert values[0] == values[1]


def test_control_c_ends_between_two_steps(tmp_path: Path) -> None:
    recipe = tiny(resume_every=10**6)
    whole = run(recipe, tmp_path / "whole")

    class PressesControlC(KillAt):
        def on_step(self, step: Step, loss: float) -> None:
            if step.step == self.step:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "cut", listener=PressesControlC(7))
    cut = Run.open(tmp_path / "cut")
    assert str(cut.status) == "interrupted"
    assert cut.last is not None
    assert cut.last.step == 7
    run(recipe, tmp_path / "cut", resume=True)
    same_end(whole, tmp_path / "cut")


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"optimizer": {"kind": "adamw"}},
        {"schedule": {"kind": "cosine", "warmup_tokens": 512}},
        {"model": {"family": "mixtral", "layers": 1, "width": 16, "heads": 2}},
        {"corpus": "text"},
    ],
    ids=["bf16", "adamw", "cosine", "mixtral", "text over epochs"],
)
def test_every_kind_of_run_resumes_bit_identically(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = tiny(resume_every=256 * 5, **_with_text(tmp_path, changes))
    whole = run(recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        run(recipe, tmp_path / "cut", listener=KillAt(18))
    run(recipe, tmp_path / "cut", resume=True)
    same_end(whole, tmp_path / "cut")


def _with_text(folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """Turn ``corpus: text`` into 120 small documents of which an epoch is shorter than the run."""
    if changes.get("corpus") != "text":
        return changes
    rng = random.Random(0)
    lines = []
    for number in range(120):
        words = rng.sample(
            "river stone apple cloud tiger music paper glass winter garden".split(), 8
        )
        text = ". ".join(
            f"The {a} {number} met Anna and the {b}" for a, b in itertools.pairwise(words)
        )
        lines.append(json.dumps({"text": text + "."}))
    path = folder / "text.jsonl"
    path.write_text("\n".join(json.dumps({"text": line}) for line in lines))
    corpus = {"kind": "text", "paths": [str(path)], "vocab_size": 300, "held_out_share": 0.3}
    probes = {"per_decade": 6, "first_tokens": 256, "cost_cap": 50, "items": 16}
    return {"corpus": {**corpus, "blimp": "none"}, "probes": probes}


def test_resuming_with_another_corpus_is_refused(tmp_path: Path) -> None:
    recipe = tiny(**_with_text(tmp_path, {"corpus": "text"}))
    with pytest.raises(Killed):
        run(recipe, tmp_path / "cut", listener=KillAt(18))
    text = tmp_path / "text.jsonl"
    text.write_text("\n".join(text.read_text().splitlines()[:-20]))
    with pytest.raises(RunFolderError, match="not what this run began with"):
        run(recipe, tmp_path / "cut", resume=True)


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    run(tiny(), tmp_path / "run")
    with pytest.raises(RunFolderError, match="has finished"):
        run(tiny(), tmp_path / "run", resume=True)


def test_a_missing_device_leaves_nothing_behind(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(RecipeError, match="device"):
        run(tiny(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_resume_point_that_a_crash_left_half_replaced_is_found(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tiny(resume_every=256), tmp_path / "cut", listener=KillAt(9))
    (tmp_path / "cut" / "resume").rename(tmp_path / "cut" / ".resume.outgoing")
    run(tiny(), tmp_path / "cut", resume=True)
    assert str(Run.open(tmp_path / "cut").status) == "finished"


def test_divergence_is_noted_once(tmp_path: Path) -> None:
    recipe = tiny(optimizer={"kind": "adamw", "lr": 1e30})
    events = Run.open(run(recipe, tmp_path / "run")).events()
    assert [event.kind for event in events].count("warning") == 1


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
