"""nucleate replay: what it prints and how it exits, on records whose decisions are known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from nucleate.cli_replay import replay
from nucleate.core import Decision, Reading, Step, UserError
from nucleate.store import Manifest, RunWriter
from nucleate.train.control import Controller, Rule
from nucleate.views.decisions import print_replay, sentences

RECIPE: dict[str, Any] = {
    "levers": {"repeats": {"kind": "procedural"}},
    "policy": [
        {"name": "begin", "when": {"tokens": 0}, "pull": {"repeats": 0.5}},
        {
            "name": "end",
            "when": {
                "all": [
                    {"tokens": 200},
                    {"above": {"metric": "refrain.all.accuracy", "value": 0.5, "se": 2}},
                ]
            },
            "pull": {"repeats": 0.0},
        },
        {"name": "last", "when": {"tokens": 9000}, "pull": {"repeats": 0.1}},
    ],
}


def decide(values: dict[int, float]) -> list[Decision]:
    """Return what a controller decides on readings by step, with its evidence."""
    controller = Controller([Rule.model_validate(rule) for rule in RECIPE["policy"]])
    found = controller.step(Step(0, 0), math.nan)
    for step, value in values.items():
        found += controller.observe(Step(step, 100 * step), [read(value)])
    return found


def read(value: float) -> Reading:
    return Reading("refrain.all.accuracy", value, 0.1, 25, 0.25, "fraction")


def moved(decision: Decision, step: int) -> Decision:
    return replace(decision, step=Step(step, 100 * step))


BEGIN, END = decide({4: 0.8})


def write(writer: RunWriter, steps: range, values: dict[int, float]) -> None:
    """Record steps of 100 tokens, and readings where there are some."""
    for step in steps:
        at = Step(step, 100 * step)
        writer.loss(at, 2.0, 1.0)
        if step in values:
            writer.reading(at, read(values[step]))


def made(folder: Path, decision: Decision | None) -> Path:
    """Write a run that reads .6, then .8: the rule "end" holds at step 4, .8 > .5 + 2 × .1."""
    manifest = Manifest(name="x", recipe=RECIPE, environment={}, seeds={})
    with RunWriter.create(folder, manifest) as writer:
        writer.decision(BEGIN)
        write(writer, range(1, 6), {2: 0.6, 4: 0.8})
        if decision is not None:
            writer.decision(decision)
    return folder


def test_decisions_that_follow_are_shown_with_their_evidence(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    replay(made(tmp_path / "r", END))
    text = capsys.readouterr().out
    for words in (
        "end  at 400 tokens, step 4  same",
        "repeats → 0",
        "refrain.all.accuracy",
        "was 0.8 ± 0.1 at 400, above 0.5 by more than 2 × its",
        "never fired: last",
        "2 of 2 decisions follow from the record as they were made",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("decision", [None, decide({4: 0.81})[1], moved(END, 5), moved(END, 2)])
def test_a_decision_that_does_not_follow_exits_with_1(tmp_path, capsys, decision) -> None:
    with pytest.raises(typer.Exit) as stop:
        replay(made(tmp_path / "r", decision), as_json=True)
    assert stop.value.exit_code == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["same"]
    assert [entry["same"] for entry in found["decisions"]] == [True, False]
    assert found["decisions"][1]["derived"]["step"] == 4
    assert found["silent"] == ["last"]
    out = StringIO()
    print_replay(found, Console(file=out, width=80))
    assert "differs" in out.getvalue()
    assert "1 of 2 decisions follow" in out.getvalue()


def test_what_was_done_again_is_replayed_and_what_it_replaced_is_not(tmp_path, capsys) -> None:
    folder = made(tmp_path / "r", END)
    with RunWriter.resume(folder, Step(3, 300)) as writer:
        write(writer, range(4, 8), {4: 0.55, 6: 0.75})
        writer.decision(decide({4: 0.55, 6: 0.75})[1])
    replay(folder, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["same"]
    assert [entry["recorded"]["tokens"] for entry in found["decisions"]] == [0, 600]
    assert found["decisions"][1]["recorded"] == found["decisions"][1]["derived"]


def test_a_run_without_a_policy_is_a_mistake_of_the_user(tmp_path) -> None:
    manifest = Manifest(name="x", recipe={}, environment={}, seeds={})
    RunWriter.create(tmp_path / "r", manifest).close()
    with pytest.raises(UserError, match=r"run\.json: has no policy") as mistake:
        replay(tmp_path / "r")
    assert mistake.value.exit_code == 2


def test_no_name_can_steer_the_terminal() -> None:
    rule = {
        "rule": "\x1b[2J[bold]x",
        "step": 1,
        "tokens": 1,
        "pulls": {"a": "b\nc"},
        "evidence": {"any": {"deadline": 1000}},
    }
    entry = {"same": True, "recorded": rule, "derived": rule}
    out = StringIO()
    print_replay({"decisions": [entry], "silent": []}, Console(file=out, width=80))
    assert "\x1b" not in out.getvalue()
    assert "[bold]x" in out.getvalue()
    assert "a → b c" in out.getvalue()
    assert sentences(rule["evidence"]) == ["deadline 1k"]
