"""Results of lm-eval written from a run and read back, with and without logs of single items."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from nucleate.bridges.lm_eval.readback import read_results
from nucleate.bridges.lm_eval.results import task_of, write_results
from nucleate.bridges.tables import read_book
from nucleate.core import DataError, Level, Reading, Step
from nucleate.store import Manifest, RunWriter


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    with RunWriter.create(path, Manifest("toy model")) as writer:
        for number in range(1, 7):
            step = Step(number * 10, number * 5_120, flops=1e9 * number)
            hits = tuple(float(item < number) for item in range(8))
            value = sum(hits) / 8
            writer.reading(
                step,
                Reading("copa.accuracy", value, 0.1, 8, 0.5, "fraction", Level.SEMANTICS, hits),
            )
            writer.reading(step, Reading("blimp.all.margin", -1.5 * number, level=Level.SYNTAX))
        writer.finish("finished", step)
    return path


def test_metrics_are_named_as_lm_eval_names_them() -> None:
    assert task_of("copa.accuracy") == ("copa", "acc")
    assert task_of("blimp.all.margin") == ("blimp.all", "margin")
    assert task_of("loss") == ("loss", "loss")


def test_a_run_comes_back_as_it_was(run: Path, tmp_path: Path) -> None:
    files = write_results(run, tmp_path / "out", samples=True)
    assert [file.parent.name for file in files] == [f"toy__model__step{n}0" for n in range(1, 7)]
    back = read_results(tmp_path / "out")
    assert len(back) == 12
    step, reading = next(pair for pair in back if pair[1].metric == "copa.accuracy")
    assert step == Step(10, 5_120, flops=1e9)
    hits = (1.0, *[0.0] * 7)
    assert reading == Reading(
        "copa.accuracy", 0.125, 0.1, 8, 0.5, "fraction", Level.SEMANTICS, hits
    )
    margin = next(reading for _, reading in back if reading.metric == "blimp.all.margin")
    assert margin.value == -1.5
    assert margin.level is Level.SYNTAX
    assert math.isnan(margin.se)


def test_the_document_has_the_keys_of_lm_eval(run: Path, tmp_path: Path) -> None:
    document = json.loads(write_results(run, tmp_path / "out")[2].read_text())
    assert document["results"]["copa"]["acc,none"] == 0.375
    assert document["results"]["copa"]["acc_stderr,none"] == 0.1
    assert document["results"]["blimp.all"]["margin_stderr,none"] == "N/A"
    assert document["n-samples"]["copa"] == {"original": 8, "effective": 8}
    assert document["n-shot"] == {"blimp.all": 0, "copa": 0}
    assert document["config"]["model_args"]["revision"] == "step30"
    assert {"configs", "versions", "higher_is_better", "model_name"} <= set(document)


def test_tables_read_the_files_over_tokens(run: Path, tmp_path: Path) -> None:
    write_results(run, tmp_path / "out")
    book = read_book(tmp_path / "out")
    (curves,) = book.runs.values()
    assert book.axis == "tokens"
    curve = next(curve for name, curve in curves.items() if "copa" in name)
    assert curve.values == (0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    assert curve.tokens.tolist() == [5_120.0 * number for number in range(1, 7)]


def write_their_results(folder: Path, revision: str = "step512") -> None:
    """What lm-eval 0.4.13 writes for two questions of two options, shortened."""
    folder.mkdir(parents=True)
    document = {
        "results": {"copa": {"name": "copa", "alias": "copa", "sample_len": 2, "acc,none": 0.5}},
        "configs": {"copa": {"output_type": "multiple_choice", "doc_to_text": "{{query}}"}},
        "versions": {"copa": 1.0},
        "n-shot": {"copa": 0},
        "config": {"model": "hf", "model_args": {"pretrained": "org/m", "revision": revision}},
    }
    document["results"]["copa"]["acc_stderr,none"] = 0.5
    date = "2026-01-02T03-04-05.678901"
    (folder / f"results_{date}.json").write_text(json.dumps(document))
    logged = [
        {"doc_id": 1, "target": "0", "filtered_resps": [["-4.0", "False"], ["-2.5", "False"]]},
        {"doc_id": 0, "target": "1", "filtered_resps": [["-3.0", "False"], ["-1.0", "True"]]},
    ]
    lines = [
        json.dumps(sample | {"filter": "none", "metrics": ["acc"], "acc": acc})
        for sample, acc in zip(logged, (0.0, 1.0), strict=True)
    ]
    (folder / f"samples_copa_{date}.jsonl").write_text("\n".join(lines) + "\n")


def test_sample_logs_give_items_and_the_margin(tmp_path: Path) -> None:
    write_their_results(tmp_path / "org__m")
    accuracy, margin = read_results(tmp_path)
    assert accuracy[0] == Step(512, 512)
    assert accuracy[1].items == (1.0, 0.0)
    assert (accuracy[1].value, accuracy[1].se, accuracy[1].n) == (0.5, 0.5, 2)
    assert accuracy[1].chance == 0.5
    assert margin[1].metric == "copa.margin"
    assert margin[1].items == (2.0, -1.5)
    assert margin[1].value == 0.25
    assert margin[1].chance == 0.0


def test_tables_take_the_margin_from_the_logs(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5, 6):
        write_their_results(tmp_path / f"step{step}", f"step{step}")
    (curves,) = read_book(tmp_path).runs.values()
    margin = next(curve for name, curve in curves.items() if name.endswith("margin"))
    assert margin.values == (0.25,) * 6
    assert margin.se[0] == pytest.approx(1.75)  # 3.5 / √2, over √2


def test_a_damaged_log_leaves_the_results(tmp_path: Path) -> None:
    write_their_results(tmp_path / "org__m")
    (log,) = tmp_path.rglob("samples_*")
    log.write_text(log.read_text()[:40])
    ((_, accuracy),) = read_results(tmp_path)
    assert accuracy.items == ()
    assert math.isnan(accuracy.chance)


def test_what_holds_no_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results"):
        read_results(tmp_path)
    with RunWriter.create(tmp_path / "empty", Manifest("empty")):
        pass
    with pytest.raises(DataError, match="no Readings"):
        write_results(tmp_path / "empty", tmp_path / "out")
