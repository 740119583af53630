"""A whole study in miniature: every stage, controls included, then interrupted and altered."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from nucleate.core import UserError
from nucleate.core.settings import validate
from nucleate.store import Run, Status
from nucleate.studies.savings import freezing
from nucleate.studies.savings.conductor import Conductor
from nucleate.studies.savings.jobs import read_json, write_json
from nucleate.studies.savings.pool import here
from nucleate.studies.savings.settings import Study

POLICY = [
    {
        "name": "longer",
        "when": {"below": {"metric": "loss.held_out.nll", "value": 100.0}},
        "pull": {"calm": 0.5},
    }
]
STUDY: dict[str, Any] = {
    "name": "miniature",
    "seeds": [10, 11],
    "scoring": {"items": 8, "rows": 4, "ngrams": [8, 24]},
    "workloads": {
        "W1": {
            "recipe": {
                "tokens": 1280,
                "rows": 2,
                "context": 64,
                "model": {"layers": 1, "width": 16, "heads": 2, "tie_embeddings": True},
                "schedule": {"warmup_tokens": 0},
                "probes": {"items": 8, "cost_cap": 100, "first_tokens": 128, "only": ["loss"]},
                "checkpoints_per_decade": 0,
                "device": "cpu",
            },
            "horizons": [256, 512, 768, 1024, 1280],
            "levels": {"syntax": ["agreement.*.accuracy"], "knowledge": ["fact.*.accuracy"]},
            "quality": "loss",
            "arms": {
                "B1": {},
                "T": {
                    "like": "B1",
                    "set": {
                        "tokens": 1024,
                        "levers": {"calm": {"kind": "procedural", "symbols": 8, "period": [2, 4]}},
                        "policy": POLICY,
                    },
                },
                "B2": {"like": "T", "timing": "fixed", "at": {"longer": 512}},
                "B3": {"like": "T", "timing": "yoked"},
                "sham": {"like": "T", "timing": "sham"},
            },
        }
    },
}


CODE = "c0de" * 16


def quick(patch: pytest.MonkeyPatch) -> None:
    """Count few n-grams, resample rarely, and let nobody who edits the code disturb the tests."""
    patch.setattr("nucleate.probes.suites._NGRAM_SHARDS", 1)
    patch.setattr("nucleate.studies.savings.paired.RESAMPLES", 99)
    patch.setattr(freezing, "code_hash", lambda: CODE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


class Teller:
    """Remembers what a study said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        self.lines.append(text)


def conductor(folder: Path, said: Teller | None = None, **changes: Any) -> Conductor:
    study = validate(Study, STUDY | changes, where="study")
    return Conductor(study, folder, here, said or Teller())


def conduct(one: Conductor) -> dict[str, Any]:
    one.freeze()
    one.run()
    one.score()
    return one.analyse()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        return folder, conduct(conductor(folder))


def folders(folder: Path, arm: str) -> dict[int, Run]:
    found = sorted(folder.glob(f"W1/runs-*/{arm}-*/run.json"))
    runs = [Run.open(path.parent) for path in found]
    return {run.manifest.seeds["model"]: run for run in runs}


def test_every_run_is_there_with_sealed_scores(done: tuple[Path, dict[str, Any]]) -> None:
    folder, result = done
    workload = result["workloads"]["W1"]
    assert workload["failed"] == []
    assert len(workload["runs"]) == 2 * 5 + 4 * 2
    assert len(list(folder.glob("W1/runs-*/*.sealed.json"))) == 18
    assert result["split"] == "sealed"
    assert set(workload["runs"][0]["scores"]) == {"syntax", "knowledge", "composite", "loss"}


def test_costs_are_the_ledgers_and_probes_are_paid_where_rules_wait_for_them(
    done: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = done
    runs = {
        (one["arm"], one["seed"], one["tokens"]): one for one in result["workloads"]["W1"]["runs"]
    }
    own = folders(folder, "T-1024")[10]
    assert runs["T", 10, 1024]["parts"]["probes"] > 0
    assert "probes" not in runs["B1", 10, 1280]["parts"]
    assert runs["T", 10, 1024]["flops"] == sum(entry.flops for entry in own.ledger())
    frontier = result["workloads"]["W1"]["frontier"]
    assert frontier["costs"] == [runs["B1", 10, t]["flops"] for t in (256, 512, 768, 1024, 1280)]
    assert frontier["qualities"][1][4] == -runs["B1", 11, 1280]["scores"]["loss"]


def test_yoked_runs_pull_when_another_seed_did(done: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = done
    treated, yoked = folders(folder, "T"), folders(folder, "B3")
    times = {seed: [d.step.tokens for d in run.decisions()] for seed, run in treated.items()}
    assert times == {10: [128], 11: [128]}
    assert {seed: [d.step.tokens for d in run.decisions()] for seed, run in yoked.items()} == {
        10: times[11],
        11: times[10],
    }
    (fixed,) = folders(folder, "B2")[10].decisions()
    assert fixed.step.tokens == 512


def test_the_audit_has_read_what_the_runs_have(done: tuple[Path, dict[str, Any]]) -> None:
    audit = done[1]["workloads"]["W1"]["audit"]
    assert set(audit["sources"]) == {
        "corpus, seed 10",
        "corpus, seed 11",
        "procedural repeat, seed 10",
        "procedural repeat, seed 11",
    }
    assert audit["clean"] is True


def test_called_again_nothing_is_done_twice(done: tuple[Path, dict[str, Any]]) -> None:
    folder, result = done
    said = Teller()
    again = conduct(conductor(folder, said))
    assert len(said.lines) == 1
    assert said.lines[0].startswith("frozen ")
    assert again["workloads"] == result["workloads"]
    assert json.loads((folder / "study.json").read_text())["frozen"]["same_code"] is True


def test_nothing_sealed_is_opened_before_the_freeze(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the study is not frozen; run --stage freeze first"):
        conductor(tmp_path).score()
    with pytest.raises(UserError, match="not frozen"):
        conductor(tmp_path).run()
    assert list(tmp_path.iterdir()) == []


def test_changed_settings_or_code_close_the_sealed_probes(
    done: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = done
    with pytest.raises(UserError, match="the settings changed since the study was frozen"):
        conductor(folder, scoring={"items": 16, "rows": 4}).score()
    with pytest.raises(UserError, match="sealed probes were opened, and then the settings changed"):
        conductor(folder, scoring={"items": 16, "rows": 4}).freeze()
    monkeypatch.setattr(freezing, "code_hash", lambda: "0" * 64)
    with pytest.raises(UserError, match="the code changed since the study was frozen"):
        conductor(folder).score()


def test_figures_are_not_worked_out_under_other_settings_than_were_frozen(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the study is not frozen"):
        conductor(tmp_path).analyse()
    conductor(tmp_path).freeze()
    with pytest.raises(UserError, match="the settings changed since the study was frozen"):
        conductor(tmp_path, margins={"loss": 0.5}).analyse()
    one = STUDY["workloads"]["W1"]
    arms = one["arms"] | {"B1": {"tune": {"optimizer.lr": [0.002, 0.5]}}}
    changes = {"tuning": {"runs": 1, "seeds": [1]}, "workloads": {"W1": one | {"arms": arms}}}
    tuned = tmp_path / "W1" / "tuning.json"
    write_json(tuned, {"B1": {"chosen": {"optimizer.lr": 0.002}}})
    conductor(tmp_path, **changes).freeze()
    write_json(tuned, {"B1": {"chosen": {"optimizer.lr": 0.5}}})
    with pytest.raises(UserError, match="the tuned values changed since the study was frozen"):
        conductor(tmp_path, **changes).analyse()


def test_later_code_may_work_out_the_figures_and_says_so(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(done[0], folder)
    frozen = read_json(folder / "frozen.json")
    del frozen["study"]["margins"]  # as if later code had added this key
    write_json(folder / "frozen.json", frozen)
    monkeypatch.setattr(freezing, "code_hash", lambda: "0" * 64)
    result = conductor(folder).analyse()
    assert result["frozen"]["same_code"] is False
    assert result["workloads"]["W1"]["failed"] == []


def test_before_anything_sealed_is_opened_a_study_may_be_frozen_again(tmp_path: Path) -> None:
    before = conductor(tmp_path).freeze()
    after = conductor(tmp_path, scoring={"items": 16, "rows": 4}).freeze()
    assert before["hash"] != after["hash"] == read_json(tmp_path / "frozen.json")["hash"]


def test_a_run_that_fails_is_kept_and_counts_as_infinite_cost(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nucleate.train.loop import Loop

    folder = tmp_path / "study"
    shutil.copytree(done[0], folder)
    (lost,) = folder.glob("W1/runs-*/B2-1024-seed11-????????")
    for path in lost.parent.glob(f"{lost.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def breaks(self: Loop) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(Loop, "advance", breaks)
    said = Teller()
    result = conduct(conductor(folder, said))["workloads"]["W1"]
    assert said.lines[1].endswith("FAILED: MemoryError: no more")
    assert [(one["arm"], one["seed"], one["why"]) for one in result["failed"]] == [
        ("B2", 11, "MemoryError: no more")
    ]
    assert result["arms"]["B2"]["missed"] >= 1
    assert result["arms"]["B2"]["log_ratios"][1] == "inf"
    assert result["arms"]["B2"]["places"][1] == "failed"


def test_an_interrupted_run_goes_on_bit_by_bit(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nucleate.train.loop import Loop

    folder, advance = tmp_path / "study", Loop.advance
    shutil.copytree(done[0], folder)
    (whole,) = folder.glob("W1/runs-*/T-1024-seed10-????????")
    before = (whole / "resume" / "model.safetensors").read_bytes()
    for path in whole.parent.glob(f"{whole.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def stopped(self: Loop) -> None:
        advance(self)
        if self.step.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Loop, "advance", stopped)
    with pytest.raises(KeyboardInterrupt):
        conductor(folder).run()
    assert Run.open(whole).status is Status.INTERRUPTED
    monkeypatch.setattr(Loop, "advance", advance)
    conductor(folder).run()
    assert (whole / "resume" / "model.safetensors").read_bytes() == before
    assert len(Run.open(whole).attempts()) == 2
