"""Readings on a CUDA device are those of the CPU, for every suite that looks at a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nucleate.core import Curve
from nucleate.observe.scan import scan
from nucleate.probes.landscape import SGLD, llc
from nucleate.probes.mechanism.composition import composition
from nucleate.probes.mechanism.patching import patch_heads, patch_residual
from nucleate.store import Run
from nucleate.train.session import run
from tests.unit.probes.landscape.models import Point, rotated
from tests.unit.probes.mechanism.constructed import FAMILIES, small
from tests.unit.probes.mechanism.test_patching import pairs
from tests.unit.train.conftest import tiny

SHAPE = {"layers": 2, "width": 16, "heads": 2, "context": 64, "tie_embeddings": True}


@pytest.fixture(scope="module", params=["llama", "neox", "mixtral"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few checkpoints of a run on the CPU."""
    family = request.param
    own = {"experts": 4, "experts_per_token": 2} if family == "mixtral" else {}
    model = {"family": family, **SHAPE, **own}
    if family == "neox":
        del model["tie_embeddings"]
    return run(tiny(model=model), tmp_path_factory.mktemp(family) / "run")


@pytest.mark.parametrize("suite", ["story", "mechanism", "landscape"])
def test_a_scan_reads_the_same(
    trained: Path, tmp_path: Path, suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nucleate.probes.suites._NGRAM_SHARDS", 2)
    sides = {
        device: Run.open(
            scan(trained, out=tmp_path / device, device=device, suite=suite, items=24, context=64)
        ).curves()
        for device in ("cpu", "cuda")
    }
    assert sides["cpu"].keys() == sides["cuda"].keys()
    assert len(sides["cpu"]) > (3 if suite == "landscape" else 20)
    off = {name: _off(curve, sides["cuda"][name]) for name, curve in sides["cpu"].items()}
    assert {name: far for name, far in off.items() if far} == {}


def _off(one: Curve, other: Curve) -> float:
    """Return by how much two sides differ at most, 0 where it is no more than it may be.

    Answers that tie may fall either way; what is drawn at random is drawn on the device.
    """
    a, b, se_a, se_b = (np.array(x) for x in (one.values, other.values, one.se, other.se))
    assert (np.isnan(a) == np.isnan(b)).all()
    allowed = 2e-3 * (1e-3 + np.abs(a))
    if one.metric.endswith("accuracy"):
        allowed = np.maximum(allowed, 1 / 24)
    if one.metric.startswith(("llc", "hessian")):
        allowed = 4 * np.hypot(se_a, se_b) + allowed
    far = np.abs(a - b) - allowed
    return max(float(np.nanmax(far, initial=0.0)), 0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_patching_and_composition_are_the_same(family: str) -> None:
    model = small(family)
    items = pairs(model)
    on_gpu = small(family).cuda()
    for patch in (patch_heads, patch_residual):
        np.testing.assert_allclose(
            patch(on_gpu, items).values_LH, patch(model, items).values_LH, rtol=1e-3, atol=1e-4
        )
    for one, other in zip(composition(on_gpu), composition(model), strict=True):
        np.testing.assert_allclose(one.values_XX, other.values_XX, rtol=1e-4, atol=1e-6)


def test_a_regular_minimum_has_half_its_dimension() -> None:
    """As on the CPU, λ = 3/2 up to what the step size adds; the chain lives on the device."""
    matrix = torch.as_tensor(rotated(np.array([1.0, 2.0, 4.0])), device="cuda")
    settings = SGLD(0.01, 20.0, 0.5, chains=40, draws=1000, burn_in=300, batch_size=8)
    found = llc(
        Point([0, 0, 0]).cuda(),
        lambda point, batch: point.w @ matrix @ point.w / 2 + 0 * batch.sum(),
        torch.zeros(8, 1),
        settings,
    )
    assert found.llc == pytest.approx(1.5, rel=0.2)
    assert found.rhat == pytest.approx(1, abs=0.05)
