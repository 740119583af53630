"""Curves of other tools as run folders: what was read is what the folder says."""

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from nucleate.bridges.tables import read_book
from nucleate.bridges.tables.into_run import import_book
from nucleate.cli import app
from nucleate.core import RunFolderError, UserError
from nucleate.store import Run


def table(path, header, rows):
    lines = [header, *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_over_tokens(tmp_path):
    rows = [(step, step * 1000, step / 8, 5 - step) for step in (1, 2, 4)]
    source = table(tmp_path / "curves.csv", "step,tokens,acc,nll", rows)
    (folder,) = import_book(read_book(source), tmp_path / "run")
    run = Run.open(folder)
    curve = run.curves()["acc"]
    assert curve.values == (0.125, 0.25, 0.5)
    assert [(step.step, step.tokens) for step in curve.steps] == [(1, 1000), (2, 2000), (4, 4000)]
    assert run.curves()["nll"].values == (4.0, 3.0, 1.0)
    assert (run.status, run.damaged, run.manifest.name) == ("finished", 0, "curves")
    assert run.manifest.recipe["imported"]["source"] == "curves.csv"


def test_steps_need_their_tokens(tmp_path):
    source = table(tmp_path / "curves.csv", "step,acc", [(1, 0.5), (3, 0.75)])
    book = read_book(source)
    with pytest.raises(UserError, match=r"one step has: --tokens-per-step N"):
        import_book(book, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    import_book(book, tmp_path / "run", tokens_per_step=512)
    curve = Run.open(tmp_path / "run").curves()["acc"]
    assert [(step.step, step.tokens) for step in curve.steps] == [(1, 512), (3, 1536)]


def test_tokens_without_steps_are_numbered_and_say_so(tmp_path):
    source = table(tmp_path / "curves.csv", "tokens,acc", [(100, 0.5), (300, 0.75)])
    import_book(read_book(source), tmp_path / "run")
    run = Run.open(tmp_path / "run")
    steps = run.curves()["acc"].steps
    assert [(step.step, step.tokens) for step in steps] == [(1, 100), (2, 300)]
    assert "positions are numbered instead" in run.events()[-1].text


def test_several_runs_become_several_folders(tmp_path):
    rows = [(seed, t, t / 1000) for seed in ("a/b", "a b") for t in (100, 200)]
    source = table(tmp_path / "curves.csv", "run,tokens,acc", rows)
    folders = import_book(read_book(source), tmp_path / "runs")
    assert [folder.name for folder in folders] == ["a-b", "a-b-2"]
    assert [Run.open(folder).manifest.name for folder in folders] == ["a/b", "a b"]
    with pytest.raises(RunFolderError, match="is not empty"):
        import_book(read_book(source), tmp_path / "runs")


def test_tensorboard_by_the_command(tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "tb")) as writer:
        for step in range(5):
            writer.add_scalar("loss", 5.0 - step, step)
    arguments = ["import", str(tmp_path / "tb"), "--out", str(tmp_path / "run")]
    shown = CliRunner().invoke(app, [*arguments, "--tokens-per-step", "64"])
    assert shown.exit_code == 0, shown.output
    curve = Run.open(tmp_path / "run").curves()["loss"]
    assert curve.values == (5.0, 4.0, 3.0, 2.0, 1.0)
    assert [step.tokens for step in curve.steps] == [0, 64, 128, 192, 256]
    data = json.loads(CliRunner().invoke(app, ["doctor", str(tmp_path / "run"), "--json"]).output)
    assert (data["whole"], data["readings"]) == (True, 5)


def mlflow_folder(root):
    run = root / "mlruns" / "1" / ("0" * 32)
    (run / "metrics").mkdir(parents=True)
    (run / "meta.yaml").write_text(f"run_id: {run.name}\nrun_name: base\n")
    lines = [f"{1700000000000 + step} {5 - step} {step}" for step in range(3)]
    (run / "metrics" / "loss").write_text("\n".join(lines) + "\n")
    (root / "mlruns" / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: x\n")
    return root / "mlruns"


def trackio_database(root):
    with sqlite3.connect(root / "project.db") as base:
        base.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_id TEXT, timestamp TEXT,"
            " run_name TEXT, step INTEGER, metrics TEXT, log_id TEXT, space_id TEXT)"
        )
        base.executemany(
            "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?,?,?,?,?)",
            [("a", f"2026-01-0{s + 1}", "base", s, json.dumps({"loss": 5 - s})) for s in range(3)],
        )
    base.close()
    return root / "project.db"


def wandb_history(root):
    rows = [{"_step": s, "_timestamp": 1.7e9 + s, "_runtime": s, "loss": 5 - s} for s in range(3)]
    (root / "history.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root / "history.jsonl"


@pytest.mark.parametrize("make", [mlflow_folder, trackio_database, wandb_history])
def test_what_trackers_keep_by_the_command(tmp_path, make):
    arguments = ["import", str(make(tmp_path)), "--out", str(tmp_path / "run")]
    shown = CliRunner().invoke(app, [*arguments, "--tokens-per-step", "64"])
    assert shown.exit_code == 0, shown.output
    curve = Run.open(tmp_path / "run").curves()["loss"]
    assert curve.values == (5.0, 4.0, 3.0)
    assert [step.tokens for step in curve.steps] == [0, 64, 128]


def test_no_reading_is_lost_between_tokens(tmp_path):
    fine = table(tmp_path / "fine.csv", "tokens,acc", [(0.1, 0.5), (0.2, 0.6), (1.2, 0.9)])
    with pytest.raises(UserError, match=r"fall on one token.*got 0\.2.*single tokens"):
        import_book(read_book(fine), tmp_path / "run")
    epochs = table(tmp_path / "epochs.csv", "epoch,acc", [(0.1, 0.5), (0.2, 0.6), (1.2, 0.9)])
    with pytest.raises(UserError, match="larger --tokens-per-step"):
        import_book(read_book(epochs), tmp_path / "run", tokens_per_step=2)
    assert not (tmp_path / "run").exists()
    import_book(read_book(epochs), tmp_path / "run", tokens_per_step=1000)
    assert Run.open(tmp_path / "run").curves()["acc"].tokens.tolist() == [100, 200, 1200]


@pytest.mark.parametrize("tokens", ["inf", "nan"])
def test_tokens_of_a_step_are_a_number(tmp_path, tokens):
    source = table(tmp_path / "curves.csv", "step,acc", [(1, 0.5), (3, 0.75)])
    asked = ["import", str(source), "--out", str(tmp_path / "run"), "--tokens-per-step", tokens]
    found = CliRunner().invoke(app, asked)
    assert isinstance(found.exception, (UserError, SystemExit))
    assert found.exit_code
    assert not (tmp_path / "run").exists()


def test_a_run_without_its_manifest_is_read_with_a_note_and_not_passed_over(tmp_path):
    from tests.unit.views.synthetic import write_run

    for name in ("a", "b"):
        write_run(tmp_path / name, seed=1 + (name == "b"))
    (tmp_path / "b" / "run.json").unlink()
    book = read_book(tmp_path, metrics=["cause.all.accuracy"])
    assert list(book.runs) == ["a", "b"]
    said = f"{tmp_path}/b/run.json is missing; the log's copy stands in (nucleate doctor --mend)."
    assert said in book.notes
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "b")])
    assert shown.exit_code == 0
    assert f"doctor {tmp_path}/b --mend puts it back" in shown.stderr


def test_a_file_called_log_makes_no_run(tmp_path):
    (tmp_path / "log").write_text("no folder")
    (tmp_path / "curves.csv").write_text("step,acc\n1,0.5\n2,0.6\n")
    assert [curve.metric for _, curve in read_book(tmp_path).curves()] == ["acc"]
