"""Training on a CUDA device: unchanged by its observer, resumable bit by bit, booked correctly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nucleate.core import Level, Reading
from nucleate.models import ModelSettings, build
from nucleate.observe.schedule import ProbeSettings
from nucleate.observe.watch import watch
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, Run, RunWriter
from nucleate.train.ledger import costs
from nucleate.train.loop import Loop
from nucleate.train.recipe import OptimizerSettings
from nucleate.train.session import run
from nucleate.train.workload import build_workload
from tests.unit.train.conftest import fingerprint, tiny
from tests.unit.train.levers.test_levers_resume import (
    ALL_OTHERS,
    DATA_DEPTH_LENGTH_DECAY,
    stopped_everywhere,
)
from tests.unit.train.test_heads_in_runs import EXPERTS, HEADS
from tests.unit.train.test_loop import KillAt, Killed, same_end, trained


def _careless(view: Any, items: Any) -> Iterable[Reading]:
    torch.rand(7)
    torch.rand(7, device="cuda")
    yield Reading("test.value", 1.0)


CARELESS = Probe("test", Level.SYNTAX, "nats", lambda items: 1, _careless)
LOOKS = HEADS | {"inside": ["geometry", "lens"], "cost_cap": 1000}
KINDS: dict[str, dict[str, Any]] = {
    "muon": {},
    "adamw": {"optimizer": {"kind": "adamw"}},
    "bf16": {"precision": "bf16"},
    "mixtral": {"model": EXPERTS},
}


def recipe(**changes: Any) -> Any:
    return tiny(**({"device": "cuda"} | changes))


@pytest.mark.parametrize("kind", KINDS)
def test_looking_changes_nothing(tmp_path: Path, kind: str) -> None:
    changes = KINDS[kind]
    looked = trained(tmp_path / "a", recipe(probes=LOOKS, **changes))
    plain = trained(tmp_path / "b", recipe(**changes), observed=False)
    assert looked.training.device.type == "cuda"
    assert fingerprint(looked) == fingerprint(plain)
    assert len(Run.open(tmp_path / "a").heads().steps) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_resumed_is_bit_identical(tmp_path: Path, kind: str) -> None:
    settings = recipe(resume_every=256 * 5, **KINDS[kind])
    whole = run(settings, tmp_path / "whole")
    with pytest.raises(Killed):
        run(settings, tmp_path / "cut", listener=KillAt(18))
    run(settings, tmp_path / "cut", resume=True)
    same_end(whole, tmp_path / "cut")
    assert Run.open(whole).manifest.environment["device"] == torch.cuda.get_device_name()


@pytest.mark.parametrize("pulls", [DATA_DEPTH_LENGTH_DECAY, ALL_OTHERS], ids=["40", "others"])
def test_resumed_after_every_step_is_bit_identical(tmp_path: Path, pulls: Any) -> None:
    steps, identical = stopped_everywhere(tmp_path, pulls, device="cuda")
    assert steps == identical


def test_dropout_draws_what_it_would_have_drawn(tmp_path: Path) -> None:
    """A careless probe draws from the device's own generator too."""

    def weights(path: Path, *, watched: bool) -> dict[str, torch.Tensor]:
        torch.manual_seed(5)
        model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0).cuda().train()
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = 0.3
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        generator = torch.Generator().manual_seed(0)
        look = None
        if watched:
            settings = ProbeSettings(first_tokens=64, cost_cap=10)
            suite = Suite("test", ((CARELESS, None),), {})
            look = watch(model, None, run=path, suite=suite, probes=settings)
        for _ in range(12):
            ids = torch.randint(0, 50, (4, 16), generator=generator).cuda()
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if look:
                look.step(loss=loss.item(), tokens=ids.numel())
        if look:
            look.close()
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    plain, watched = weights(tmp_path / "a", watched=False), weights(tmp_path / "b", watched=True)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)
    assert len(Run.open(tmp_path / "b").curves()["test.value"].values) >= 8


def test_a_look_gives_its_memory_back(tmp_path: Path) -> None:
    settings = recipe(probes=LOOKS)
    with RunWriter.create(tmp_path / "a", Manifest("test")) as writer:
        loop = Loop(settings, build_workload(settings), writer)
        loop.run()
        before = torch.cuda.memory_allocated()
        for look in loop.observers:
            assert look.measure(loop.step)
        assert torch.cuda.memory_allocated() == before


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "neox"])
def test_booked_flops_are_those_of_the_kernels(family: str, precision: torch.dtype) -> None:
    """The profiler knows the fused attention kernels of CUDA; ours are within one per cent."""
    settings = ModelSettings(family=family, layers=2, width=256, heads=4, context=512)
    model = build(settings, 211, seed=0).cuda()
    booked = costs(model, 512, OptimizerSettings())
    ids = torch.randint(211, (4, 512), device="cuda")
    with FlopCounterMode(display=False) as counter, torch.autocast("cuda", precision):
        loss = model(ids, labels=ids).loss
        forward = counter.get_total_flops()
        loss.backward()
    assert sum(booked.forward.values()) * ids.numel() == pytest.approx(forward, rel=0.01)
    whole = (sum(booked.forward.values()) + booked.backward) * ids.numel()
    assert whole == pytest.approx(counter.get_total_flops(), rel=0.04)
