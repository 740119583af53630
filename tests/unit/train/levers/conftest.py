"""A tiny run that levers are pulled in, and the profiler that its costs are held against."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from nucleate.store import Manifest, RunWriter
from nucleate.train.loop import Loop
from nucleate.train.recipe import Recipe
from nucleate.train.training import Training
from nucleate.train.workload import Workload, build_workload
from tests.unit.train.conftest import fingerprint, tiny

STEPS, ROWS, CONTEXT = 40, 2, 16
Pulls = Mapping[int, list[tuple[str, Any]]]
"""What is pulled before which step."""

LEVERS: dict[str, dict[str, Any]] = {
    "warm": {"kind": "procedural", "period": [2, 8]},
    "dense": {"kind": "mixture", "mixture": {"beats": [2, 3], "where": 9}},
    "coarsen": {"kind": "coarsen"},
    "depth": {"kind": "depth"},
    "sequence": {"kind": "sequence"},
    "batch": {"kind": "batch", "lr": "sqrt"},
    "decay": {"kind": "decay"},
    "freeze": {"kind": "freeze"},
    "reinforce": {"kind": "reinforce"},
    "upcycle": {"kind": "upcycle"},
    "cooccurrence": {"kind": "cooccurrence"},
    "ablate": {"kind": "ablate", "heads": ["L0H1", "L1H0"]},
}


def short(**changes: Any) -> Recipe:
    """Return a recipe of 40 steps of 32 tokens on a model of 2 layers × 16."""
    settings: dict[str, Any] = {
        "tokens": STEPS * ROWS * CONTEXT,
        "rows": ROWS,
        "context": CONTEXT,
        "model": {"layers": 2, "width": 16, "heads": 2, "context": 32, "tie_embeddings": True},
        "schedule": {"warmup_tokens": 64},
        "checkpoints_per_decade": 0,
        "resume_every": 10**9,
        "levers": LEVERS,
    }
    return tiny(**settings | changes)


@functools.cache
def workload() -> Workload:
    """Return the corpus of all these recipes, made once."""
    return build_workload(short())


def training(**changes: Any) -> Training:
    """Return the moving parts of a short run."""
    return Training(short(**changes), workload(), torch.device("cpu"))


@contextmanager
def loop_in(path: Path, recipe: Recipe, *, observed: bool = False) -> Iterator[Loop]:
    """Lend a loop in a new run folder."""
    torch.manual_seed(99)
    with RunWriter.create(path, Manifest("levers")) as writer:
        yield Loop(recipe, workload(), writer, observed=observed)


class Tape:
    """Notes every batch that a loop is given."""

    def __init__(self, loop: Loop) -> None:
        self.batches: list[str] = []
        stream = loop.training.stream
        served = stream.next

        def noted() -> Any:
            ids = served()
            self.batches.append(f"{ids.shape} {hashlib.sha256(ids.tobytes()).hexdigest()}")
            return ids

        stream.next = noted  # type: ignore[method-assign]


def go_on(loop: Loop, pulls: Pulls, *, keep: Path | None = None) -> list[str]:
    """Train to the end with pulls before fixed steps; return what the batches were.

    Args:
        keep: Where the resume point after every step is kept, by step.
    """
    tape = Tape(loop)
    while not loop.ended:
        for lever, to in pulls.get(loop.step.step, []):
            loop.pull(lever, to)
        loop.advance()
        if keep:
            loop.save()
            shutil.copytree(loop.writer.path / "resume", keep / str(loop.step.step) / "resume")
    return tape.batches


def end(loop: Loop) -> dict[str, Any]:
    """Return everything that decides how a loop would go on."""
    state = loop.training.state()
    return {**fingerprint(loop), "state": state, "position": (loop.step.step, loop.step.tokens)}


def counted(training: Training) -> tuple[float, float]:
    """Return FLOPs per token of forward and backward pass: modelled, and profiled on one batch."""
    config = training.model.config
    config._attn_implementation = config._experts_implementation = "eager"
    ids = torch.from_numpy(training.stream.next())
    with FlopCounterMode(display=False) as counter:
        loss, extra = training.loss(ids)
        (loss + extra).backward()
    costs = training.ledger.costs
    modelled = sum(costs.forward.values()) + costs.backward
    return modelled, counter.get_total_flops() / ids.numel()
