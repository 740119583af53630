"""Energy of a run: what was measured and what modelled, kept over attempts, neutral to training."""

from __future__ import annotations

import random
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nucleate.core import LedgerEntry, Mark, RecipeError
from nucleate.store import Run
from nucleate.train.energy import EnergyMeter, added
from nucleate.train.loop import Loop
from nucleate.train.session import run
from tests.unit.train.conftest import fingerprint, tiny


class CPU:
    def __init__(self, mode: str) -> None:
        self._mode = mode


class GPU:
    pass


class RAM:
    pass


class FakeTracker:
    """Stands for codecarbon: disturbs every random state, and reports what it is told to."""

    hardware: tuple[Any, ...] = ()
    energy: tuple[float, float, float] = (0.0, 0.0, 0.0)
    country = None
    asked: dict[str, Any]

    def __init__(self, **asked: Any) -> None:
        type(self).asked = asked
        self._hardware = self.hardware
        self._disturb()

    def _disturb(self) -> None:
        random.random()
        np.random.random()  # noqa: NPY002 (the global state is what must not change)
        torch.rand(3)

    def start(self) -> None:
        self._disturb()

    def stop(self) -> None:
        self._disturb()
        cpu, gpu, ram = self.energy
        self.final_emissions_data = types.SimpleNamespace(
            cpu_energy=cpu,
            gpu_energy=gpu,
            ram_energy=ram,
            emissions=0.5 * (cpu + gpu + ram),
            duration=10.0,
            country_name=self.country,
        )


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> type[FakeTracker]:
    own = type("FakeTracker", (FakeTracker,), {})
    module = types.ModuleType("codecarbon")
    module.OfflineEmissionsTracker = own  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace(name="codecarbon")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    return own


def test_a_meter_that_was_read_is_measured_and_a_design_power_is_not(
    tracker: type[FakeTracker],
) -> None:
    tracker.hardware, tracker.energy = (RAM(), CPU("intel_rapl"), GPU()), (2.0, 3.0, 0.5)
    with EnergyMeter() as meter:
        assert meter.entries() == []
    marks = {entry.part: (entry.mark, entry.kwh) for entry in meter.entries() if entry.kwh > 0}
    assert marks == {
        "energy, processors": (Mark.MEASURED, 2.0),
        "energy, accelerators": (Mark.MEASURED, 3.0),
        "energy, memory": (Mark.MODELLED, 0.5),
    }
    tracker.hardware = (RAM(), CPU("cpu_load"))
    with EnergyMeter() as meter:
        pass
    assert {entry.mark for entry in meter.entries()} == {Mark.MODELLED}


@pytest.mark.parametrize("mode", ["cpu_load", "constant", "something new", ""])
def test_whatever_is_not_known_to_be_a_meter_is_a_model(
    tracker: type[FakeTracker], mode: str
) -> None:
    tracker.hardware, tracker.energy = (CPU(mode),), (1.0, 0.0, 0.0)
    with EnergyMeter() as meter:
        pass
    assert [entry.mark for entry in meter.entries()] == [Mark.MODELLED, Mark.MODELLED]
    assert "processors modelled from design power and load" in meter.note


def test_carbon_is_always_modelled(tracker: type[FakeTracker]) -> None:
    tracker.hardware, tracker.energy = (CPU("intel_rapl"),), (2.0, 0.0, 0.0)
    tracker.country = "Norway"
    with EnergyMeter() as meter:
        pass
    carbon = meter.entries()[-1]
    assert (carbon.part, carbon.kg_co2e, carbon.mark) == ("carbon", 1.0, Mark.MODELLED)
    assert meter.note.endswith("carbon modelled at 0.5 kg/kWh (Norway, assumed)")


def test_a_meter_that_stands_still_reports_nothing(tracker: type[FakeTracker]) -> None:
    tracker.hardware = (CPU("intel_rapl"),)
    with EnergyMeter() as meter:
        pass
    assert meter.entries() == []
    assert meter.note == "codecarbon reported nothing"


def test_nothing_goes_to_files_or_the_network(tracker: type[FakeTracker]) -> None:
    with EnergyMeter():
        pass
    off = ("file", "api", "logger", "prometheus", "logfire")
    assert [tracker.asked[f"save_to_{name}"] for name in off] == [False] * 5
    assert tracker.asked["electricitymaps_api_token"] is None


def test_training_is_the_same_bit_by_bit(
    tmp_path: Path, tracker: type[FakeTracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.hardware, tracker.energy = (CPU("cpu_load"),), (1.0, 0.0, 0.0)
    prints = []
    whole = Loop.run

    def kept(loop: Loop) -> None:
        whole(loop)
        prints.append(fingerprint(loop))

    monkeypatch.setattr(Loop, "run", kept)
    for name, energy in (("with", True), ("without", False)):
        torch.manual_seed(7)
        run(tiny(energy=energy), tmp_path / name)
    assert prints[0] == prints[1]
    found = [entry for entry in Run.open(tmp_path / "with").ledger() if entry.is_energy]
    assert [entry.part for entry in found] == ["energy, processors", "carbon"]
    flops = {e.part: e.flops for e in Run.open(tmp_path / "with").ledger() if not e.is_energy}
    assert flops == {e.part: e.flops for e in Run.open(tmp_path / "without").ledger()}
    assert not any(event.kind == "energy" for event in Run.open(tmp_path / "without").events())


class Stop:
    """A listener that presses Ctrl-C at a step."""

    def on_start(self, *_: Any) -> None: ...

    def on_step(self, step: Any, loss: float) -> None:
        if step.step == 9:
            import signal

            signal.raise_signal(signal.SIGINT)

    def on_readings(self, *_: Any) -> None: ...


def test_attempts_add_up(tmp_path: Path, tracker: type[FakeTracker]) -> None:
    tracker.hardware, tracker.energy = (CPU("intel_rapl"), RAM()), (2.0, 0.0, 1.0)
    with pytest.raises(KeyboardInterrupt):
        run(tiny(energy=True), tmp_path / "a", listener=Stop())
    tracker.hardware, tracker.energy = (CPU("cpu_load"), RAM()), (4.0, 0.0, 1.0)
    run(tiny(), tmp_path / "a", resume=True)
    opened = Run.open(tmp_path / "a")
    found = {entry.part: entry for entry in opened.ledger() if entry.is_energy}
    assert found["energy, processors"].kwh == 6
    assert found["energy, processors"].mark is Mark.MODELLED
    assert found["energy, processors"].seconds == 20
    assert found["energy, memory"].kwh == 2
    assert found["carbon"].kg_co2e == 4
    assert len([event for event in opened.events() if event.kind == "energy"]) == 2
    assert str(opened.status) == "finished"
    assert sum(entry.part == "optimiser" for entry in opened.ledger()) == 1


def test_a_sum_is_measured_only_if_all_of_it_was() -> None:
    measured = LedgerEntry("energy, processors", 0.0, 1.0, Mark.MEASURED, kwh=1.0)
    modelled = LedgerEntry("energy, processors", 0.0, 1.0, Mark.MODELLED, kwh=2.0)
    assert [entry.mark for entry in added([measured], [measured])] == [Mark.MEASURED]
    assert [(e.mark, e.kwh) for e in added([measured], [modelled])] == [(Mark.MODELLED, 3.0)]
    assert added([measured], []) == [measured]


def test_energy_without_codecarbon_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nucleate.train.energy.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"energy: energy needs the package codecarbon; pip"):
        run(tiny(energy=True), tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.filterwarnings("ignore")  # it gives up where one of its own warnings is an error
def test_codecarbon_itself() -> None:
    pytest.importorskip("codecarbon", reason="the extra `energy` is not installed")
    with EnergyMeter() as meter:
        sum(i * i for i in range(3_000_000))
    entries = {entry.part: entry for entry in meter.entries()}
    assert 0 < entries["energy, memory"].kwh < 1
    assert entries["carbon"].mark is Mark.MODELLED
