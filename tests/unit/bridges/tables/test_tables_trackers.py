"""What trainers, trackers and evaluation harnesses leave behind."""

from __future__ import annotations

import json
import sqlite3

import pytest

from nucleate.bridges.tables import read_book
from nucleate.core import DataError, Level, Reading, RunFolderError, Step, UserError


def trainer_state(folder, last, *, tokens=False):
    from transformers import TrainerState

    history = []
    for step in range(10, last + 1, 10):
        history.append({"loss": 5 - step / 100, "grad_norm": 1.0, "learning_rate": step * 1e-5,
                        "epoch": step / 50, "step": step})  # fmt: skip
        if tokens:
            history[-1]["num_input_tokens_seen"] = step * 64
        if step % 20 == 0:
            history.append({"eval_loss": 6 - step / 100, "eval_runtime": 2.0, "epoch": step / 50,
                            "eval_samples_per_second": 9.0, "step": step})  # fmt: skip
            if tokens:
                history[-1]["num_input_tokens_seen"] = step * 64
    history.append({"train_runtime": 9.0, "train_loss": 4.0, "total_flos": 1e9, "step": last})
    folder.mkdir(parents=True)
    state = TrainerState(log_history=history, global_step=last)
    state.save_to_json(str(folder / "trainer_state.json"))
    return folder


def test_trainer_state(tmp_path):
    path = trainer_state(tmp_path / "out", 40) / "trainer_state.json"
    book = read_book(path)
    assert book.axis == "step"
    assert set(book.runs[""]) == {"loss", "grad_norm", "eval_loss"}
    loss = book.runs[""]["loss"]
    assert loss.positions == (10.0, 20.0, 30.0, 40.0)
    assert loss.values == (4.9, 4.8, 4.7, 4.6)
    assert [step.lr for step in loss.steps] == pytest.approx([1e-4, 2e-4, 3e-4, 4e-4])
    assert book.runs[""]["eval_loss"].values == (5.8, 5.6)


def test_trainer_state_with_tokens_counts_tokens(tmp_path):
    book = read_book(trainer_state(tmp_path / "out", 40, tokens=True))
    assert book.axis == "tokens"
    assert book.runs[""]["eval_loss"].steps[0].tokens == 20 * 64


def test_an_output_folder_reads_its_latest_checkpoint(tmp_path):
    for last in (20, 100, 40):
        trainer_state(tmp_path / "out" / f"checkpoint-{last}", last)
    assert read_book(tmp_path / "out").runs[""]["loss"].positions[-1] == 100
    assert read_book(tmp_path / "out" / "checkpoint-20").runs[""]["loss"].positions[-1] == 20


def test_a_folder_of_outputs_is_a_folder_of_runs(tmp_path):
    for seed in (0, 1):
        trainer_state(tmp_path / "study" / f"seed{seed}" / "checkpoint-40", 40)
    assert list(read_book(tmp_path / "study").runs) == ["seed0", "seed1"]


def test_a_trainer_that_logged_nothing_says_what_to_set(tmp_path):
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": [], "global_step": 3}))
    with pytest.raises(UserError, match=r"nothing was logged yet.*logging_steps"):
        read_book(path)


def test_tensorboard_as_pytorch_writes_it(tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    for name in ("seed0", "seed1"):
        with SummaryWriter(tmp_path / name) as writer:
            for step in range(5):
                writer.add_scalar("train/loss", 5.0 - step, step * 100)
                writer.add_scalar("train/learning_rate", step / 8, step * 100)
            writer.add_text("note", "no scalar")
            writer.add_histogram("weights", __import__("numpy").ones(4), 0)
    with SummaryWriter(tmp_path / "seed0") as writer:  # killed after step 400, resumed at 300
        for step in (3, 4, 5):
            writer.add_scalar("train/loss", -step, step * 100)
    book = read_book(tmp_path)
    assert list(book.runs) == ["seed0", "seed1"]
    assert book.runs["seed0"]["train/loss"].values == (5.0, 4.0, 3.0, -3.0, -4.0, -5.0)
    curve = book.runs["seed1"]["train/loss"]
    assert curve.positions == (0.0, 100.0, 200.0, 300.0, 400.0)
    assert curve.steps[2].lr == 0.25
    assert list(book.runs["seed1"]) == ["train/loss"]
    one = next((tmp_path / "seed1").iterdir())
    assert read_book(one).runs[""]["train/loss"].values == curve.values
    renamed = one.rename(tmp_path / "seed1" / "log.bin")
    assert read_book(renamed).runs[""]["train/loss"].values == curve.values


def test_tensorboard_as_tensorflow_writes_it_and_a_cut_off_end(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.scalar import summary_v2  # noqa: F401
    from tensorboard.plugins.scalar.metadata import create_summary_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(tmp_path))
    for step in range(4):
        first = {"metadata": create_summary_metadata("", "")} if step == 0 else {}
        value = Summary.Value(tag="loss", tensor=make_tensor_proto(float(step)), **first)
        writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()
    path = next(tmp_path.iterdir())
    assert read_book(path).runs[""]["loss"].values == (0.0, 1.0, 2.0, 3.0)
    path.write_bytes(path.read_bytes()[:-5])
    assert read_book(path).runs[""]["loss"].values == (0.0, 1.0, 2.0)


def test_event_files_without_the_package_say_what_to_install(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b'\x18\0\0\0\0\0\0\0\xa3\x7fK"\t\0\0\x80\xfd\x9d~\xd8A\x1a\rbrain.Event:2')
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    with pytest.raises(UserError, match=r"pip install 'nucleate\[tensorboard\]'"):
        read_book(path)


def test_wandb_chart_export(tmp_path):
    path = tmp_path / "wandb_export_2026-01-01.csv"
    header = [
        "Step",
        *(
            f"{run} - {column}{end}"
            for run in ("brisk-dawn-1", "calm - sea-2")
            for column in ("_step", "eval/loss")
            for end in ("", "__MIN", "__MAX")
        ),
    ]
    rows = [[s, s, s, s, 5 - s, 0, 9, s, s, s, 7 - s if s < 3 else "", 0, 9] for s in (1, 2, 3)]
    path.write_text("\n".join(",".join(f'"{each}"' for each in row) for row in [header, *rows]))
    book = read_book(path)
    assert list(book.runs) == ["brisk-dawn-1", "calm - sea-2"]
    assert {name for _, curve in book.curves() for name in [curve.metric]} == {"eval/loss"}
    assert book.runs["brisk-dawn-1"]["eval/loss"].values == (4.0, 3.0, 2.0)
    assert book.runs["calm - sea-2"]["eval/loss"].positions == (1.0, 2.0)


def test_wandb_history_prefers_the_step_of_the_trainer(tmp_path):
    path = tmp_path / "history.jsonl"
    rows = [{"_step": s, "_timestamp": 1.7e9 + s, "_runtime": s, "train/global_step": s * 50,
             "train/epoch": s / 9, "train/loss": 5 - s, "train/learning_rate": 0.5}
            for s in range(4)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    book = read_book(path)
    assert list(book.runs[""]) == ["train/loss"]
    assert book.runs[""]["train/loss"].positions == (0.0, 50.0, 100.0, 150.0)
    assert book.runs[""]["train/loss"].steps[0].lr == 0.5


def mlflow_store(root):
    for number, name in enumerate(("base", "treated")):
        run = root / "493857" / (f"{number}" * 32)
        (run / "metrics" / "eval").mkdir(parents=True)
        (run / "tags").mkdir()
        (run / "tags" / "mlflow.runName").write_text(name)
        (run / "meta.yaml").write_text(f"run_id: {run.name}\nrun_name: {name}\n")
        lines = [f"{1700000000000 + s} {5 - s + number} {s * 10}" for s in range(4)]
        (run / "metrics" / "loss").write_text("\n".join(lines) + "\n")
        (run / "metrics" / "eval" / "acc").write_text("1700 0.5 0\n1701 0.6 30\n")
        (run / "params").mkdir()
        (run / "params" / "lr").write_text("0.1")
    (root / "493857" / "meta.yaml").write_text("experiment_id: '493857'\nname: x\n")
    return root


@pytest.mark.parametrize("inside", ["", "493857"])
def test_mlflow_folder(tmp_path, inside):
    book = read_book(mlflow_store(tmp_path / "mlruns") / inside)
    assert list(book.runs) == ["base", "treated"]
    assert set(book.runs["base"]) == {"loss", "eval/acc"}
    assert book.runs["treated"]["loss"].values == (6.0, 5.0, 4.0, 3.0)
    assert book.runs["base"]["eval/acc"].positions == (0.0, 30.0)


def test_one_mlflow_run(tmp_path):
    run = mlflow_store(tmp_path / "mlruns") / "493857" / ("0" * 32)
    assert read_book(run).runs[""]["loss"].values == (5.0, 4.0, 3.0, 2.0)


def test_mlflow_database_and_csv(tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as base:
        base.execute("CREATE TABLE runs (run_uuid TEXT, name TEXT)")
        base.execute(
            "CREATE TABLE metrics (key TEXT, value REAL, timestamp INT, run_uuid TEXT, step INT,"
            " is_nan BOOLEAN)"
        )
        base.executemany("INSERT INTO runs VALUES (?, ?)", [("u1", "base"), ("u2", "treated")])
        rows = [("loss", 5 - s + k, s, f"u{k}", s, 0) for k in (1, 2) for s in range(3)]
        base.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    base.close()
    book = read_book(tmp_path)
    assert book.runs["treated"]["loss"].values == (7.0, 6.0, 5.0)
    text = ["run_id,key,value,timestamp,step"]
    text += [f"{u},{k},{v},{t},{s}" for k, v, t, u, s, _ in rows]
    (tmp_path / "m.csv").write_text("\n".join(text))
    assert read_book(tmp_path / "m.csv").runs["u2"]["loss"].values == (7.0, 6.0, 5.0)


def test_trackio_database_and_parquet(tmp_path):
    path = tmp_path / "project.db"
    rows = [
        ("id1", f"2026-01-0{s + 1}", "swift-fox", s, json.dumps({"loss": loss, "eval": {"acc": 1}}))
        for s, loss in enumerate((3.0, 2.5, "NaN", 2.0))
    ]
    rows.append(("id1", "2026-01-09", "swift-fox", 3, json.dumps({"loss": 1.5})))
    with sqlite3.connect(path) as base:  # the schema of trackio 0.43
        base.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL,"
            " timestamp TEXT NOT NULL, run_name TEXT NOT NULL, step INTEGER NOT NULL,"
            " metrics TEXT NOT NULL, log_id TEXT, space_id TEXT)"
        )
        base.executemany(
            "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics)"
            " VALUES (?, ?, ?, ?, ?)", rows
        )  # fmt: skip
    base.close()
    book = read_book(path)
    assert book.runs[""]["loss"].positions == (0.0, 1.0, 3.0)
    assert book.runs[""]["loss"].values == (3.0, 2.5, 1.5)
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    flat = [
        {"id": n, "run_id": r, "timestamp": t, "run_name": f"{name}-{k}", "step": s, "log_id": None,
         "space_id": None, "loss": json.loads(m)["loss"] if s != 2 else None}
        for k in (1, 2) for n, (r, t, name, s, m) in enumerate(rows[:4])
    ]  # fmt: skip
    pandas.DataFrame(flat).to_parquet(tmp_path / "metrics.parquet")
    flat_book = read_book(tmp_path / "metrics.parquet")
    assert list(flat_book.runs) == ["swift-fox-1", "swift-fox-2"]
    assert flat_book.runs["swift-fox-1"]["loss"].values == (3.0, 2.5, 2.0)


def lm_eval_results(step, acc):
    return {
        "results": {
            "lambada_openai": {"alias": "lambada_openai", "acc,none": acc, "acc_stderr,none": 0.01,
                               "perplexity,none": 9.0, "perplexity_stderr,none": "N/A"},
            "gsm8k": {"exact_match,strict-match": acc / 2, "exact_match_stderr,strict-match": 0.02},
        },
        "configs": {}, "versions": {"lambada_openai": 1.0},
        "n-shot": {"lambada_openai": 0, "gsm8k": 5},
        "n-samples": {"lambada_openai": {"original": 5153, "effective": 5153}},
        "config": {"model": "hf",
                   "model_args": f"pretrained=EleutherAI/pythia-70m,revision=step{step}"},
        "model_name": "EleutherAI/pythia-70m",
    }  # fmt: skip


def test_lm_eval_by_revision(tmp_path):
    for time, (step, acc) in enumerate({1000: 0.2, 512: 0.1, 3000: 0.4}.items()):
        folder = tmp_path / "EleutherAI__pythia-70m"
        folder.mkdir(exist_ok=True)
        document = lm_eval_results(step, acc)
        (folder / f"results_2026-01-0{time + 1}.json").write_text(json.dumps(document))
    (folder / "results_2026-01-09.json").write_text(json.dumps(lm_eval_results(3000, 0.5)))
    (folder / "samples_lambada_2026-01-09.jsonl").write_text('{"doc_id": 1}\n')
    book = read_book(tmp_path)
    curve = book.runs[""]["lambada_openai.acc"]
    assert curve.positions == (512.0, 1000.0, 3000.0)
    assert curve.values == (0.1, 0.2, 0.5)
    assert curve.se == (0.01,) * 3
    assert curve.counts == (5153,) * 3
    assert set(book.runs[""]) == {
        "lambada_openai.acc", "lambada_openai.perplexity", "gsm8k.strict-match.exact_match",
    }  # fmt: skip
    assert any("the latest evaluation counts" in note for note in book.notes)


def test_lm_eval_by_path_and_by_model(tmp_path):
    for size in ("70m", "160m"):
        for step in (500, 1000):
            document = {"results": {"piqa": {"acc": 0.5 + step / 1e4, "acc_stderr": 0.01}},
                        "versions": {"piqa": 0}}  # fmt: skip
            path = tmp_path / "old" / size / f"{size}_step{step}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))
            document["config"] = {"model_args": {"pretrained": f"out/{size}/checkpoint-{step}"}}
            path = tmp_path / "new" / f"out__{size}__checkpoint-{step}" / "results_1.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(document))
    old, new = read_book(tmp_path / "old"), read_book(tmp_path / "new")
    assert set(old.runs) == {"70m", "160m"}
    assert set(new.runs) == {"out/70m", "out/160m"}
    assert old.runs["70m"]["piqa.acc"].values == new.runs["out/70m"]["piqa.acc"].values
    assert old.runs["70m"]["piqa.acc"].values == (0.55, 0.6)


def test_lm_eval_without_steps_says_what_is_missing(tmp_path):
    document = lm_eval_results(1, 0.5) | {"config": {}}
    (tmp_path / "results_a.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="no training step in model name, revision or path"):
        read_book(tmp_path)


def test_our_own_run_folder(tmp_path):
    from nucleate.store import Manifest, RunWriter

    with RunWriter.create(tmp_path / "a", Manifest("a", {}, {}, {})) as writer:
        for n in (1, 2, 3):
            reading = Reading("x.accuracy", n / 4, 0.1, 40, 0.5, "fraction", Level.SYNTAX)
            writer.reading(Step(n, n * 100), reading)
    book = read_book(tmp_path / "a")
    assert book.axis == "tokens"
    curve = book.runs[""]["x.accuracy"]
    assert (curve.values, curve.chance, curve.level) == ((0.25, 0.5, 0.75), 0.5, Level.SYNTAX)


def test_a_damaged_run_folder_is_a_line(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunFolderError):
        read_book(tmp_path)
