"""Learning coefficients during a run: what the function gives alone, seen by no weight."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from nucleate.models import load_checkpoint
from nucleate.probes.landscape import SGLD, llc, token_loss
from nucleate.store import Run
from nucleate.train.session import run
from nucleate.train.workload import build_workload
from nucleate.views.report import render_report
from tests.unit.train.conftest import fingerprint, tiny
from tests.unit.train.test_loop import trained

NEAR = SGLD(
    step_size=1e-3, nbeta=0.01, localization=100, chains=2, draws=8, burn_in=2, batch_size=8
)
"""Chains that noise alone moves, so that weights far from any minimum have a value too."""
FAR = SGLD(step_size=1.0, nbeta=300, localization=0, chains=2, draws=4, burn_in=2, batch_size=8)
"""A step of standard deviation 1: every chain lands among weights that know nothing."""
ASKED = {
    "per_decade": 6,
    "first_tokens": 256,
    "cost_cap": 1000,
    "items": 8,
    "heads_per_decade": 1,
    "inside": ["llc"],
}


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nucleate.probes.inside.LIGHT", NEAR)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nucleate.probes.inside.LIGHT", FAR)


@pytest.mark.usefixtures("near")
def test_a_run_reads_what_the_function_gives_alone(tmp_path: Path) -> None:
    recipe = tiny(probes=ASKED)
    folder = run(recipe, tmp_path / "run")
    curves = Run.open(folder).curves()
    looks = [step.tokens for step in Run.open(folder).heads().steps]
    assert len(looks) > 1
    assert curves["llc.all.value"].tokens.tolist() == looks
    assert curves["llc.all.refused"].values[-1] == 0
    suite = build_workload(recipe).suite
    rows = next(items.rows for probe, items in suite.parts if probe.name == "loss")
    model = load_checkpoint(folder / "resume").model
    alone = llc(model, token_loss, torch.from_numpy(rows), NEAR)
    assert alone.llc > 0
    assert curves["llc.all.value"].values[-1] == pytest.approx(alone.llc, rel=1e-6)
    assert curves["llc.all.value"].se[-1] == pytest.approx(alone.se, rel=1e-6)
    missing = [
        t for t, value in zip(looks, curves["llc.all.value"].values, strict=True) if value != value
    ]
    events = [event for event in Run.open(folder).events() if event.kind == "no estimate"]
    assert [event.step.tokens for event in events] == missing


@pytest.mark.parametrize("settings", ["near", "far"])
def test_a_run_that_asks_for_it_trains_as_one_that_does_not(
    tmp_path: Path, settings: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(settings)
    others = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    with_chains = fingerprint(trained(tmp_path / "a", tiny(probes=ASKED)))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == others  # noqa: NPY002
    assert with_chains == fingerprint(trained(tmp_path / "b", tiny(), observed=False))
    assert "llc.all.value" in Run.open(tmp_path / "a").curves()


@pytest.mark.usefixtures("far")
def test_chains_that_diverge_leave_a_gap_and_its_reason(tmp_path: Path) -> None:
    folder = run(tiny(probes=ASKED), tmp_path / "run")
    told = Run.open(folder)
    curves = told.curves()
    assert np.isnan(curves["llc.all.value"].values).all()
    assert set(curves["llc.all.refused"].values) == {1.0}
    events = [event for event in told.events() if event.kind == "no estimate"]
    assert [event.step for event in events] == list(curves["llc.all.value"].steps)
    assert all(event.text.startswith("llc: 2 of 2 chains refused") for event in events)
    assert "probe failed" not in {event.kind for event in told.events()}
    assert "2 of 2 chains refused" in render_report(told)
