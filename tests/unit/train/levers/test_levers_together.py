"""Levers pulled in one run, two by two and all at once: it trains, and costs are still right."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from tests.unit.train.levers.conftest import counted, training

PULLS: dict[str, Any] = {
    "warm": 0.5,
    "dense": 0.5,
    "coarsen": 2,
    "depth": 4,
    "sequence": 8,
    "batch": 4,
    "decay": 640,
    "freeze": 1,
    "reinforce": 0.1,
    "upcycle": 4,
}
MODEL = {"layers": 4, "width": 32, "heads": 2, "context": 32, "tie_embeddings": True}


def _trained(pulls: list[str], optimizer: str) -> None:
    run = training(model=MODEL, optimizer={"kind": optimizer})
    run.recipe.levers["depth"].pull(run, 2)
    run.step()
    for lever in pulls:
        run.recipe.levers[lever].pull(run, PULLS[lever])
        loss, norm, _ = run.step()
        assert math.isfinite(loss)
        assert math.isfinite(norm)
    modelled, profiled = counted(run)
    assert modelled == pytest.approx(profiled, rel=0.01)


@pytest.mark.parametrize("pair", list(itertools.combinations(PULLS, 2)), ids="-".join)
def test_two_levers(pair: tuple[str, str]) -> None:
    _trained(list(pair), "muon")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("order", [1, -1])
def test_all_levers(order: int, optimizer: str) -> None:
    _trained(list(PULLS)[::order], optimizer)
