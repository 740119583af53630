"""The Trainer callback where `torchrun` starts two processes: one run folder, the same bits.

Run as a script this file is one of the two processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from nucleate.core import Level, Reading, UserError
from nucleate.models import ModelSettings, build
from nucleate.observe.schedule import ProbeSettings
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite
from nucleate.store import Run

pytest.importorskip("accelerate", reason="the Trainer needs accelerate")
if not dist.is_available() or not dist.is_gloo_available():
    pytest.skip("torch is built without gloo", allow_module_level=True)

HANG, PATIENCE = 200, 600
"""Seconds after which a rank gives the other up, and after which both are ended."""

STEPS, SAVED, LOGGED = 8, 4, (2, 4, 6, 8)
"""Optimiser steps of a run, the step of its checkpoint, and those at which a loss is logged."""

ROWS, WIDTH = 2, 16
"""Texts in a batch of one process, and tokens of each."""

BATCH = 2 * ROWS * WIDTH
"""Tokens of one batch over both processes."""


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """What both ranks have found, and the folder of their runs."""
    folder = tmp_path_factory.mktemp("ranks")
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"}
    launcher = "torch.distributed.run --nproc-per-node 2 --rdzv-backend c10d"
    address = "--rdzv-endpoint 127.0.0.1:0 --local-addr 127.0.0.1"  # 0: any free port
    command = [sys.executable, "-m", *launcher.split(), *address.split(), __file__, str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        code = process.wait(PATIENCE)
    finally:
        process.terminate()  # it ends its workers, too
        process.wait(60)
    assert code == 0, (folder / "log").read_text()
    found = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]
    return found, folder


@pytest.mark.parametrize("setup", ["every batch", "accumulated"])
def test_no_bit_knows_of_the_callback(ranks: Any, setup: str) -> None:
    for rank in ranks[0]:
        assert rank[setup]["watched"] == rank[setup]["plain"]
        assert rank["another seed"]["weights"] != rank[setup]["plain"]["weights"]
    first, second = (rank[setup]["watched"] for rank in ranks[0])
    assert first["weights"] == second["weights"]


@pytest.mark.parametrize(("setup", "tokens"), [("every batch", BATCH), ("accumulated", 2 * BATCH)])
def test_one_run_folder_counts_the_tokens_of_all_processes(
    ranks: Any, setup: str, tokens: int
) -> None:
    folder = ranks[1] / setup
    run = Run.open(folder)
    assert str(run.status) == "finished"
    steps, _ = run.losses()
    assert [step.step for step in steps] == list(LOGGED)
    assert [step.tokens for step in steps] == [tokens * n for n in LOGGED]
    readings = run.curves()["rough.value"]
    assert list(readings.tokens[:3]) == [tokens, 2 * tokens, 3 * tokens]
    assert {path.name for path in (folder / "log").iterdir()} == {"000001.jsonl"}


def test_a_training_that_broke_goes_on_in_its_folder(ranks: Any) -> None:
    found, folder = ranks
    for rank in found:
        assert rank["resumed"]["weights"] == rank["every batch"]["plain"]["weights"]
        assert rank["resumed"]["random"] == rank["every batch"]["plain"]["random"]
    run = Run.open(folder / "resumed")
    assert [attempt.start.step for attempt in run.attempts()] == [0, SAVED]
    assert [attempt.start.tokens for attempt in run.attempts()] == [0, SAVED * BATCH]
    assert [step.tokens for step in run.losses()[0]] == [BATCH * n for n in LOGGED]
    assert str(run.status) == "finished"


def test_mistakes_are_one_line_on_every_rank(ranks: Any) -> None:
    for rank in ranks[0]:
        assert "set include_num_input_tokens_seen=True or pass tokens_per_step" in rank["uncounted"]
        assert "weights are sharded over processes" in rank["fsdp"]


class BrokenError(Exception):
    """What ends a training half way."""


def rough(view: Any, items: Any) -> Iterable[Reading]:
    """A probe that draws random numbers."""
    torch.rand(7)
    yield Reading("rough.value", 1.0)


SUITE = Suite("test", ((Probe("rough", Level.SYNTAX, "nats", lambda items: 1, rough), None),), {})


def train(
    folder: Path,
    *callbacks: Any,
    resume: Path | None = None,
    seed: int = 3,
    **settings: Any,
) -> dict[str, Any]:
    """Let a Trainer train a tiny model with dropout; return digests of what it ends with."""
    from transformers import Trainer, TrainingArguments

    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3
    rows = torch.randint(0, 50, (32, WIDTH), generator=torch.Generator().manual_seed(0))
    arguments = TrainingArguments(
        **{
            "output_dir": str(folder),
            "per_device_train_batch_size": ROWS,
            "max_steps": STEPS,
            "logging_steps": 2,
            "report_to": [],
            "save_strategy": "steps",
            "save_steps": SAVED,
            "use_cpu": True,
            "ddp_timeout": HANG,
            "disable_tqdm": True,
            "seed": seed,
            "include_num_input_tokens_seen": True,
            **settings,
        }
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=[{"input_ids": row, "labels": row} for row in rows],
        callbacks=list(callbacks),
    )
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    state = trainer.optimizer.state_dict()["state"]
    return {
        "weights": digest(model.state_dict().values()),
        "optimizer": digest(value for each in state.values() for value in each.values()),
        "random": digest([torch.get_rng_state()]),
    }


def digest(tensors: Iterable[torch.Tensor]) -> str:
    """Return a digest of tensors by their bytes."""
    content = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in tensors)
    return hashlib.sha256(content).hexdigest()


def refusal(begin: Callable[[], Any]) -> str:
    """Return the line with which a training does not begin."""
    try:
        begin()
    except UserError as error:
        return str(error)
    return "accepted"


def begin_sharded(callback: Any) -> None:
    """Begin with sharded weights, as the Trainer would; on CPU, accelerate does not shard them."""
    from torch.distributed.fsdp import fully_shard
    from transformers import TrainerState

    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)
    model = fully_shard(model, mesh=dist.init_device_mesh("cpu", (2,)))
    state = TrainerState(is_world_process_zero=dist.get_rank() == 0)
    callback.on_train_begin(None, state, None, model=model)


def main(folder: Path) -> None:
    """Be one of two processes."""
    from transformers import TrainerCallback

    from nucleate.bridges.hf_trainer import NucleateCallback

    class Break(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == SAVED + 2:
                raise BrokenError

    def callback(name: str, **options: Any) -> NucleateCallback:
        probes = ProbeSettings(first_tokens=BATCH, cost_cap=10)
        return NucleateCallback(folder / name, suite=SUITE, probes=probes, **options)

    work = folder / "work"
    found: dict[str, Any] = {
        "another seed": train(work, seed=4),
        "every batch": {
            "plain": train(work),
            "watched": train(work, callback("every batch")),
        },
    }
    twice = {"gradient_accumulation_steps": 2, "include_num_input_tokens_seen": False}
    found["accumulated"] = {
        "plain": train(work, **twice),
        "watched": train(work, callback("accumulated", tokens_per_step=2 * BATCH), **twice),
    }
    resumed, saved = callback("resumed"), work / "resumed" / f"checkpoint-{SAVED}"
    with suppress(BrokenError):
        train(work / "resumed", resumed, Break())
    found["resumed"] = train(work / "resumed", resumed, resume=saved)
    never = callback("never")
    found["uncounted"] = refusal(lambda: train(work, never, include_num_input_tokens_seen=False))
    found["fsdp"] = refusal(lambda: begin_sharded(never))
    (folder / f"rank{dist.get_rank()}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
