"""Run folders that earlier versions wrote, kept as files: they read the same for ever."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from nucleate.core import Step
from nucleate.store import Run, RunWriter
from nucleate.store.doctor import examine

GOLDEN = Path(__file__).parents[2] / "golden"
FOLDERS = ("format1", "format2")


def content(path):
    """Return everything that a run folder tells, as JSON types; numbers keep every bit."""
    run = Run.open(path)
    heads = run.heads()
    return {
        "manifest": asdict(run.manifest),
        "status": str(run.status),
        "damaged": run.damaged,
        "last": run.last.step,
        "discarded_flops": run.discarded_flops,
        "readings": [
            [
                *(reading.metric, step.step, step.tokens, repr(reading.value), repr(reading.se)),
                *(reading.n, repr(reading.chance), reading.unit, str(reading.level)),
                [repr(score) for score in run.items(reading.metric, step.step).tolist()],
            ]
            for step, reading in run.readings()
        ],
        "losses": [[s.step, loss] for s, loss in zip(*run.losses(), strict=True)],
        "grad_norms": [repr(norm) for norm in run.grad_norms()[1]],
        "events": [[event.step.step, event.kind, event.text] for event in run.events()],
        "decisions": [[d.step.step, d.rule, d.pulls, d.evidence] for d in run.decisions()],
        "ledger": [repr(entry) for entry in run.ledger()],
        "attempts": [[a.number, a.start.step, a.time, a.backfill] for a in run.attempts()],
        "heads": [
            [step.step, name, repr(scores.values_LH.tolist()), repr(scores.se_LH.tolist())]
            for step, table in zip(heads.steps, heads.tables, strict=True)
            for name, scores in table.scores.items()
        ],
    }


@pytest.mark.parametrize("name", FOLDERS)
def test_a_golden_folder_reads_as_ever(name):
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert content(GOLDEN / name) == expected


def test_doctor_on_the_golden_folders():
    first, second = (examine(GOLDEN / name) for name in FOLDERS)
    assert (first.whole, first.readings, first.backfilled) == (True, 5, 0)
    assert [finding.part for finding in second.findings if finding.bad] == ["log/000001.jsonl"]
    assert (second.readings, second.backfilled) == (9, 3)
    assert second.ranks == {1: 2, 2: 1, 3: 1}


def test_an_old_folder_is_gone_on_with_in_the_new_format(tmp_path):
    path = shutil.copytree(GOLDEN / "format1", tmp_path / "run")
    before = Run.open(path).curves()
    assert Run.open(path).manifest.format == 1
    with RunWriter.resume(path, Step(4, 16384, 4e9, 1.0, 3e-4)) as writer:
        writer.finish("finished", Step(4, 16384, 4e9, 1.0, 3e-4))
    run = Run.open(path)
    assert (run.manifest.format, run.manifest.name, run.damaged) == (2, "golden", 0)
    assert repr(run.curves()) == repr(before)
