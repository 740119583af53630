"""Energy in the report: apart from the FLOPs, with its marks."""

from __future__ import annotations

from pathlib import Path

from nucleate.core import LedgerEntry, Mark, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.facts import costs
from nucleate.views.report import render_report

LEDGER = [
    LedgerEntry("mlp", 3e12, 10.0),
    LedgerEntry("probes", 1e12, 2.0),
    LedgerEntry("energy, processors", 0.0, 20.0, Mark.MEASURED, kwh=0.25),
    LedgerEntry("carbon", 0.0, 20.0, kg_co2e=0.1),
]


def test_energy_is_told_apart_from_flops(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a", Manifest("energy")) as writer:
        writer.ledger(LEDGER)
        writer.finish("finished", Step(1, 10))
    run = Run.open(tmp_path / "a")
    assert repr(run.ledger()) == repr(LEDGER)
    found = costs(run.ledger())
    assert (found.flops, found.seconds, found.probe_time) == (4e12, 12.0, 2 / 12)
    assert [entry.part for entry in found.energy] == ["energy, processors", "carbon"]
    page = render_report(run)
    row = page[page.index("<td>energy, processors</td>") :]
    assert '<td class="mark measured">measured</td><td class="num">250 Wh</td>' in row
    assert '<td class="mark modelled">modelled</td><td class="num">100 g CO2e</td>' in row


def test_a_run_without_energy_does_not_speak_of_it(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a", Manifest("plain")) as writer:
        writer.ledger(LEDGER[:2])
        writer.finish("finished", Step(1, 10))
    log = next((tmp_path / "a" / "log").iterdir()).read_text()
    assert "kwh" not in log  # records of such runs are what they were
    assert "Energy is of the whole machine" not in render_report(Run.open(tmp_path / "a"))
