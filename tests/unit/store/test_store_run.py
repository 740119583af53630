"""The run folder: what is written is what is read, and what was done again replaces the rest."""

import csv
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest

from nucleate.core import Decision, Event, LedgerEntry, Level, Mark, Reading, RunFolderError, Step
from nucleate.store import Manifest, Run, RunWriter


def at(step):
    return Step(step, step * 4096, step * 1e9, step * 0.25, 3e-4)


def accuracy(value, **more):
    return Reading("agreement.plain.accuracy", value, level=Level.SYNTAX, **more)


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) <= 200
    assert caught.value.exit_code == 2
    return text


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


def test_everything_comes_back(path):
    manifest = Manifest("první", {"model": {"size": "tiny"}}, {"torch": "2"}, {"model": 1})
    full = accuracy(0.75, se=0.02, n=3, chance=0.5, unit="fraction", items=(1.0, 0.0, math.nan))
    bare = Reading("loss.held_out.nats", math.inf)
    event = Event(at(2), "warning", "tab\tnew\nline “quotes” \u2028")
    cause = {"all": [{"tokens": 9}, {"metric": "m", "value": 0.1 + 0.2, "kind": "at chance"}]}
    decision = Decision(at(2), "end", {"mixture": "dense", "rows": 8, "share": 0.5}, cause)
    entry = LedgerEntry("mlp", 1e15, math.nan, Mark.MEASURED)
    with RunWriter.create(path, manifest) as writer:
        writer.reading(at(1), full)
        writer.reading(at(1), bare)
        writer.loss(at(1), 3.1, math.nan)
        writer.event(event)
        writer.decision(decision)
        writer.ledger([LedgerEntry("mlp", 1.0)])
        writer.ledger([entry])
        writer.finish("finished", at(2))
    run = Run.open(path)
    assert run.manifest == manifest
    assert (run.status, run.damaged, run.last) == ("finished", 0, at(2))
    curves = run.curves()
    assert list(curves) == ["agreement.plain.accuracy", "loss.held_out.nats"]
    curve = curves["agreement.plain.accuracy"]
    assert (curve.steps, curve.values, curve.se) == ((at(1),), (0.75,), (0.02,))
    assert (curve.level, curve.unit, curve.chance) == (Level.SYNTAX, "fraction", 0.5)
    assert curves["loss.held_out.nats"].values == (math.inf,)
    assert math.isnan(curves["loss.held_out.nats"].se[0])
    items = run.items("agreement.plain.accuracy", 1)
    assert items.dtype == np.float32
    np.testing.assert_array_equal(items, np.float32([1, 0, math.nan]))
    assert run.items("loss.held_out.nats", 1).shape == (0,)
    assert run.losses() == ([at(1)], [3.1])
    assert math.isnan(run.grad_norms()[1][0])
    assert run.events() == [event]
    assert run.decisions() == [decision]
    assert repr(run.ledger()) == repr([entry])


def test_items_keep_every_bit_of_float32(path):
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    values[:4] = [np.inf, -np.inf, 1e-45, -0.0]
    with RunWriter.create(path, Manifest("items")) as writer:
        writer.reading(at(1), accuracy(0.0, items=tuple(values.tolist())))
        writer.reading(at(2), accuracy(0.0, items=(1e300,)))
    run = Run.open(path)
    assert run.items("agreement.plain.accuracy", 1).tobytes() == values.tobytes()
    assert run.items("agreement.plain.accuracy", 2).tolist() == [math.inf]
    with pytest.raises(RunFolderError, match="no reading of"):
        run.items("agreement.plain.accuracy", 3)


def test_a_later_attempt_supersedes_what_lies_beyond_its_start(path):
    with RunWriter.create(path, Manifest("restart")) as writer:
        for step in (0, 10, 20, 30, 37):
            writer.reading(at(step), accuracy(step))
            writer.loss(at(step), step, 1.0)
            writer.event(Event(at(step), "checkpoint", f"first {step}"))
            writer.decision(Decision(at(step), f"first {step}", {}, {}))
        writer.reading(at(30), Reading("only.first.nats", 1.0))
    with RunWriter.resume(path, at(20)) as writer:
        assert writer.attempt == 2
        for step in (30, 40):
            writer.reading(at(step), accuracy(-step))
            writer.loss(at(step), -step, 1.0)
            writer.event(Event(at(step), "checkpoint", f"second {step}"))
            writer.decision(Decision(at(step), f"second {step}", {}, {}))
    run = Run.open(path)
    assert run.curves()["agreement.plain.accuracy"].values == (0, 10, 20, -30, -40)
    assert run.losses()[1] == [0, 10, 20, -30, -40]
    assert [event.text for event in run.events()][-2:] == ["second 30", "second 40"]
    assert len(run.events()) == 5
    assert [each.rule for each in run.decisions()] == [event.text for event in run.events()]
    assert "only.first.nats" not in run.curves()
    assert [(attempt.number, attempt.start) for attempt in run.attempts()] == [
        (1, Step(0, 0)),
        (2, at(20)),
    ]


def test_readings_at_the_step_of_the_restart_are_replaced(path):
    with RunWriter.create(path, Manifest("same step")) as writer:
        writer.reading(at(20), accuracy(1))
    with RunWriter.resume(path, at(20)) as writer:
        writer.reading(at(20), accuracy(2))
    assert Run.open(path).curves()["agreement.plain.accuracy"].values == (2,)


def test_an_attempt_whose_start_record_is_damaged_still_supersedes(path):
    with RunWriter.create(path, Manifest("lost start")) as writer:
        for step in (10, 20, 25):
            writer.reading(at(step), accuracy(step))
    with RunWriter.resume(path, at(15)) as writer:
        writer.reading(at(20), accuracy(-20))
    segment = path / "log" / "000002.jsonl"
    segment.write_bytes(b"X" + segment.read_bytes()[1:])
    run = Run.open(path)
    assert run.curves()["agreement.plain.accuracy"].values == (10, -20)
    assert run.damaged == 1


def test_status_follows_the_life_of_a_run(path):
    writer = RunWriter.create(path, Manifest("status"))
    run = Run.open(path)
    assert run.status == "running"
    with pytest.raises(RunFolderError, match="being written by another process") as caught:
        RunWriter.resume(path, at(0))
    one_line(caught)
    writer.close()
    writer.close()
    assert run.status == "interrupted"
    with RunWriter.resume(path, at(0)) as writer:
        assert run.status == "running"
        writer.finish("interrupted", at(3))
        assert run.status == "interrupted"
    with RunWriter.resume(path, at(3)) as writer:
        assert run.status == "running"
        writer.finish("finished", at(9))
    assert run.status == "finished"


def test_an_open_run_sees_what_is_appended(path):
    with RunWriter.create(path, Manifest("live")) as writer:
        run = Run.open(path)
        assert run.curves() == {}
        writer.reading(at(1), accuracy(0.1))
        assert run.curves()["agreement.plain.accuracy"].values == (0.1,)
        writer.reading(at(2), accuracy(0.2))
        assert run.curves()["agreement.plain.accuracy"].values == (0.1, 0.2)


def test_records_of_unknown_kind_are_passed_over_and_malformed_ones_counted(path):
    with RunWriter.create(path, Manifest("odd")) as writer:
        writer._log.append("hologram", {"depth": 3})
        writer._log.append("loss", {"at": {"step": 1}})
        writer._log.append("reading", {"at": "here"})
        writer.loss(at(1), 2.0, 1.0)
    run = Run.open(path)
    assert run.losses()[1] == [2.0]
    assert run.damaged == 2


def test_csv_is_a_long_table(path, tmp_path):
    with RunWriter.create(path, Manifest("table")) as writer:
        writer.reading(at(2), accuracy(0.5, n=10))
        writer.reading(at(1), accuracy(0.25, se=0.125, chance=0.5, unit="fraction"))
    table = tmp_path / "table.csv"
    Run.open(path).export_csv(table)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == {
        "metric": "agreement.plain.accuracy", "level": "syntax", "unit": "fraction", "step": "1",
        "tokens": "4096", "flops": "1000000000.0", "value": "0.25", "se": "0.125", "n": "0",
        "chance": "0.5",
    }  # fmt: skip
    assert (rows[1]["step"], rows[1]["se"], rows[1]["n"]) == ("2", "", "10")
    with pytest.raises(RunFolderError, match="table cannot be written") as caught:
        Run.open(path).export_csv(tmp_path / "no" / "such" / "folder.csv")
    one_line(caught)


def test_create_refuses_what_holds_something(path):
    RunWriter.create(path, Manifest("first")).close()
    with pytest.raises(RunFolderError, match="is not empty; choose another folder") as caught:
        RunWriter.create(path, Manifest("second"))
    one_line(caught)
    assert Run.open(path).manifest.name == "first"


def test_create_leaves_nothing_in_a_folder_of_other_people(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError):
        RunWriter.create(tmp_path, Manifest("x"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunFolderError) as caught:
        RunWriter.create(tmp_path / "thesis.tex", Manifest("x"))
    one_line(caught)


def newer(path):
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"format": 99}))


BROKEN = {
    "no such run folder": lambda path: path.rename(path.with_name("elsewhere")),
    "is not a run folder": lambda path: (path / "run.json").unlink(),
    "run.json is damaged": lambda path: (path / "run.json").write_text('{"format": 1'),
    "run.json is damaged; restore": lambda path: (path / "run.json").write_bytes(b"\xff\xfe"),
    "was written by a newer nucleate": newer,
}


@pytest.mark.parametrize("message", BROKEN)
@pytest.mark.parametrize("use", [Run.open, lambda path: RunWriter.resume(path, at(0))])
def test_a_folder_that_is_no_run_is_refused(path, message, use):
    RunWriter.create(path, Manifest("broken")).close()
    shutil.rmtree(path / "log")  # where a copy of run.json is
    BROKEN[message](path)
    with pytest.raises(RunFolderError, match=message) as caught:
        use(path)
    one_line(caught)


@pytest.mark.parametrize("text", ["[]", "null", '{"format": "1"}', '{"format": 1}', "[" * 100_000])
def test_any_other_json_is_a_damaged_manifest(path, text):
    path.mkdir()
    (path / "run.json").write_text(text)
    with pytest.raises(RunFolderError, match="damaged"):
        Run.open(path)


def test_manifest_of_the_same_format_with_more_keys_opens(path):
    RunWriter.create(path, Manifest("more")).close()
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"colour": "blue"}))
    assert Run.open(path).manifest.name == "more"


def test_store_is_light():
    code = (
        "import sys, nucleate.store; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'scipy', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
