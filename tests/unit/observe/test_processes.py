"""Two processes train one model over gloo: rank 0 looks, and no bit of either rank knows of it.

Run as a script this file is one of the two processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from nucleate.core import Level, Reading, UserError
from nucleate.models import ModelSettings, build
from nucleate.observe.processes import bare, refuse_unless_whole
from nucleate.observe.schedule import ProbeSettings
from nucleate.observe.watch import watch
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite
from nucleate.store import Run

if not dist.is_available() or not dist.is_gloo_available():
    pytest.skip("torch is built without gloo", allow_module_level=True)

HANG, PATIENCE = 200, 600
"""Seconds after which a rank gives the other up, and after which both are ended."""

STEPS, TOKENS = 4, 64
"""Optimiser steps of a run, and tokens of each over both processes."""

SETUPS = (
    "plain",
    "rank 0 alone",
    "unused parameters",
    "static graph",
    "accumulated",
    "half way",
    "compiled inside",
    "compiled outside",
    "compiled in place",
)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """What both ranks have found, and the folder of their runs."""
    folder = tmp_path_factory.mktemp("ranks")
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"}
    logs = [folder / f"rank{rank}.log" for rank in range(2)]
    started = []
    for rank, log in enumerate(logs):
        command = [sys.executable, __file__, str(folder), str(rank)]
        with log.open("wb") as file:
            started.append(subprocess.Popen(command, env=environment, stdout=file, stderr=file))
    try:
        codes = [process.wait(PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert codes == [0, 0], "\n".join(log.read_text() for log in logs)
    found = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]
    return found, folder


@pytest.mark.parametrize("setup", SETUPS)
def test_no_bit_knows_of_the_watch(ranks: Any, setup: str) -> None:
    (first, second), folder = ranks
    first, second = first[setup], second[setup]
    assert first["watched"] == first["plain"]  # weights, optimiser, random states, compiled graphs
    assert second["watched"] == second["plain"]
    assert first["plain"]["weights"] == second["plain"]["weights"]
    assert first["plain"]["random"] != second["plain"]["random"]
    looks = 2 * STEPS if setup == "half way" else STEPS
    assert (first["readings"], second["readings"]) == (looks, 0)
    run = Run.open(folder / setup)
    assert str(run.status) == "finished"
    assert [step.tokens for step in run.losses()[0]] == [TOKENS * n for n in range(1, STEPS + 1)]
    assert [path.name for path in (folder / setup / "log").iterdir()] == ["000001.jsonl"]


def test_the_comparison_can_fail(ranks: Any) -> None:
    (first, _), _ = ranks
    assert first["another seed"]["weights"] != first["plain"]["plain"]["weights"]
    assert first["another seed"]["random"] != first["plain"]["plain"]["random"]


@pytest.mark.parametrize("name", ["fsdp2", "fsdp1", "fsdp1, inside"])
def test_sharded_weights_are_refused_on_every_rank(ranks: Any, name: str) -> None:
    for rank in ranks[0]:
        assert "weights are sharded over processes" in rank[name]
        assert "observe its checkpoints instead" in rank[name]


@pytest.mark.parametrize("name", ["replicate", "a part in DDP"])
def test_parts_that_talk_are_refused_on_every_rank(ranks: Any, name: str) -> None:
    for rank in ranks[0]:
        assert "a part of the model talks to other processes" in rank[name]


def test_weights_sharded_after_the_start_are_not_looked_at(ranks: Any) -> None:
    (first, second), folder = ranks
    assert "reading skipped: weights are sharded" in first["sharded later"]
    assert second["sharded later"] == ""
    events = Run.open(folder / "sharded later").events()
    assert [event.kind for event in events] == ["reading skipped"]


def test_groups_of_their_own_watch_on_their_own(ranks: Any) -> None:
    found, folder = ranks
    assert [rank["alone"] for rank in found] == [True, True]
    assert all(str(Run.open(folder / f"alone{rank}").status) == "finished" for rank in range(2))


def test_processes_of_torchrun_without_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    watched = watch(llama(), None, run=tmp_path / "run", suite=SUITE)
    assert not watched.active
    assert watched.step(loss=1.0, tokens=10) == []
    assert watched.measure() == []
    watched.close()
    assert watched.position.tokens == 10
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("RANK", "0")
    with watch(llama(), None, run=tmp_path / "run", suite=SUITE) as watched:
        assert watched.active
        watched.measure()


def test_tensor_parallel_models_are_refused() -> None:
    model = llama()
    refuse_unless_whole(model)
    model._tp_size = 2
    with pytest.raises(UserError, match="sharded"):
        refuse_unless_whole(model)


def rough(view: Any, items: Any) -> Iterable[Reading]:
    """A probe that takes its time, draws random numbers, and asks for gradients."""
    time.sleep(0.05)
    torch.rand(7)
    random.random()
    np.random.rand(3)  # noqa: NPY002
    model = view._model
    ids = torch.arange(21).reshape(3, 7)  # a shape that training does not have
    with torch.enable_grad():
        loss = model(input_ids=ids, labels=ids).loss
        weights = [p for p in model.parameters() if p.requires_grad]
        torch.autograd.grad(loss, weights, allow_unused=True)
    yield Reading("rough.value", loss.item())


SUITE = Suite("test", ((Probe("rough", Level.SYNTAX, "nats", lambda items: 1, rough), None),), {})


def llama() -> Any:
    """A tiny causal model with dropout."""
    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3
    return model


class Toy(torch.nn.Module):
    """The least that can be compiled and watched."""

    def __init__(self) -> None:
        super().__init__()
        self.config = llama().config
        torch.manual_seed(0)
        self.into, self.out = torch.nn.Embedding(50, 8), torch.nn.Linear(8, 50)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Any:
        hidden = torch.nn.functional.dropout(self.into(input_ids), 0.3, self.training)
        loss = torch.nn.functional.cross_entropy(self.out(hidden).flatten(0, 1), labels.flatten())
        return SimpleNamespace(loss=loss)


def wrapped(setup: str, graphs: list[Any]) -> Any:
    """Return a model in DistributedDataParallel; whatever is compiled is kept in `graphs`."""

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    if setup.startswith("compiled"):
        model = Toy()
        if setup == "compiled in place":
            model.compile(backend=backend)
        if setup == "compiled inside":
            return DistributedDataParallel(torch.compile(model, backend=backend))
        ddp = DistributedDataParallel(model)
        return torch.compile(ddp, backend=backend) if setup == "compiled outside" else ddp
    model = llama()
    if setup == "unused parameters":
        model.spare = torch.nn.Linear(2, 2)
        return DistributedDataParallel(model, find_unused_parameters=True)
    return DistributedDataParallel(model, static_graph=setup == "static graph")


def train(setup: str, run: Path | None, seed: int = 5) -> tuple[dict[str, Any], int]:
    """Train for `STEPS`; return digests of everything that a watch could change, and readings."""
    rank, graphs, readings = dist.get_rank(), [], 0
    for seeding in (torch.manual_seed, random.seed, np.random.seed):
        seeding(seed + rank)
    torch._dynamo.reset()
    model = wrapped(setup, graphs)
    assert isinstance(bare(model), Toy if setup.startswith("compiled") else torch.nn.Module)
    assert "module" not in dict(bare(model).named_children())
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watched = None
    if run and (rank == 0 or setup != "rank 0 alone"):
        probes = ProbeSettings(first_tokens=TOKENS, cost_cap=10)
        watched = watch(model, None, run=run, suite=SUITE, probes=probes)
        assert watched.active == (rank == 0)
    parts = 2 if setup == "accumulated" else 1
    for _ in range(STEPS):
        for part in range(parts):
            ids = torch.randint(0, 50, (2 // parts, 16))
            with nullcontext() if part == parts - 1 else model.no_sync():
                loss = model(input_ids=ids, labels=ids).loss
                if watched and setup == "half way":
                    readings += len(watched.measure())
                loss.backward()
        optimizer.step()
        if watched:
            readings += len(watched.step(loss=loss.item(), tokens=TOKENS))
        optimizer.zero_grad()
    if watched:
        watched.close()
    weights = dict(bare(model).named_parameters()) | dict(bare(model).named_buffers())
    moments = [value for state in optimizer.state.values() for value in state.values()]
    states = [torch.get_rng_state(), random.getstate(), np.random.get_state()]  # noqa: NPY002
    return {
        "weights": digest(*weights, *weights.values()),
        "optimizer": digest(*moments),
        "random": digest(*states),
        "modes": [module.training for module in model.modules()],
        "graphs": len(graphs),
    }, readings


def digest(*parts: Any) -> str:
    """Return a digest of tensors by their bytes, and of everything else by its text."""
    content = (
        part.detach().numpy().tobytes() if isinstance(part, torch.Tensor) else repr(part).encode()
        for part in parts
    )
    return hashlib.sha256(b"".join(content)).hexdigest()


def refusal(make: Callable[[], Any], folder: Path) -> str:
    """Return the line with which `watch` refuses a model."""
    try:
        watch(make(), None, run=folder / "never", suite=SUITE)
    except UserError as error:
        return str(error)
    return "accepted"


def sharded_later(folder: Path) -> str:
    """Shard a model that is watched already; return what rank 0 warns of."""
    from torch.distributed.fsdp import fully_shard

    model = llama()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with watch(model, None, run=folder / "sharded later", suite=SUITE) as watched:
            fully_shard(model, mesh=dist.init_device_mesh("cpu", (2,)))
            model(input_ids=torch.arange(8)[None])
            watched.measure()
            model(input_ids=torch.arange(8)[None])
    return " ".join(str(each.message) for each in caught if "nucleate" in str(each.message))


def refusals(folder: Path) -> dict[str, str]:
    """Return how each kind of model is refused in this process."""
    from torch.distributed._composable.replicate import replicate
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    mesh = dist.init_device_mesh("cpu", (2,))
    cpu = torch.device("cpu")

    def part_in_ddp() -> Any:
        model = llama()
        model.model = DistributedDataParallel(model.model)
        return model

    def inside() -> Any:
        model = llama()
        FullyShardedDataParallel(model, device_id=cpu, use_orig_params=True)
        return model

    kinds: dict[str, Callable[[], Any]] = {
        "fsdp2": lambda: fully_shard(llama(), mesh=mesh),
        "fsdp1": lambda: FullyShardedDataParallel(llama(), device_id=cpu),
        "fsdp1, inside": inside,
        "replicate": lambda: replicate(llama()),
        "a part in DDP": part_in_ddp,
    }
    found = {name: refusal(make, folder) for name, make in kinds.items()}
    dist.barrier()
    return found


def alone(folder: Path) -> bool:
    """Watch a model whose process group has only this process."""
    groups = [dist.new_group([rank]) for rank in range(2)]
    rank = dist.get_rank()
    model = DistributedDataParallel(llama(), process_group=groups[rank])
    with watch(model, None, run=folder / f"alone{rank}", suite=SUITE) as watched:
        watched.measure()
    return watched.active


def main(folder: Path, rank: int) -> None:
    """Be one of two processes."""
    meet = f"file://{folder / 'meet'}"
    patience = timedelta(seconds=HANG)
    dist.init_process_group("gloo", init_method=meet, rank=rank, world_size=2, timeout=patience)
    found: dict[str, Any] = {"another seed": train("plain", None, seed=7)[0]}
    for setup in SETUPS:
        plain, _ = train(setup, None)
        after, readings = train(setup, folder / setup)
        found[setup] = {"plain": plain, "watched": after, "readings": readings}
    found |= refusals(folder)
    found |= {"sharded later": sharded_later(folder), "alone": alone(folder)}
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
