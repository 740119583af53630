"""Tuning in miniature: what is chosen, and that nothing stale decides anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nucleate.core import RecipeError, UserError
from nucleate.core.settings import validate
from nucleate.studies.savings.conductor import Conductor
from nucleate.studies.savings.jobs import read_json
from nucleate.studies.savings.pool import here
from nucleate.studies.savings.settings import Study
from tests.unit.studies.test_savings_study import STUDY, Teller, quick

RATES = [0.0001, 0.02, 0.002]
"""Twenty steps at the first hardly move the weights, so that it must come out last."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


def conductor(
    folder: Path, said: Teller, arm: dict[str, Any] | None = None, **changes: Any
) -> Conductor:
    arms = STUDY["workloads"]["W1"]["arms"] | {
        "B1": {"tune": {"optimizer.lr": RATES}} if arm is None else arm
    }
    tuning = {"runs": 3, "seeds": [90], "search": "grid", "objective": "loss", "check": [91, 92]}
    content = STUDY | {
        "tuning": tuning,
        "workloads": {"W1": STUDY["workloads"]["W1"] | {"arms": arms}},
    }
    return Conductor(validate(Study, content | changes, where="study"), folder, here, said)


def test_tuning_takes_the_best_and_nothing_stale_decides(tmp_path: Path) -> None:
    said = Teller()
    one = conductor(tmp_path, said)
    one.tune()
    found = read_json(tmp_path / "W1" / "tuning.json")["B1"]
    losses = {
        trial["setting"]["optimizer.lr"]: trial["scores"][0]["loss"] for trial in found["trials"]
    }
    assert losses[0.0001] == max(losses.values())
    assert losses[found["chosen"]["optimizer.lr"]] == min(losses.values())
    assert found["flops"] > 0
    assert len(said.lines) == 3 + 1

    conductor(tmp_path, said).tune()
    assert len(said.lines) == 4, "what was tuned is not tuned again"

    # Other items: the runs are there, but none of the old scores may stand beside new ones.
    conductor(tmp_path, said, scoring={"items": 16, "rows": 8, "ngrams": [8]}).tune()
    assert said.lines[4:] == ["W1 · 3 runs scored on development probes"]
    again = read_json(tmp_path / "W1" / "tuning.json")["B1"]["trials"]
    assert [trial["scores"][0]["loss"] for trial in again] != list(losses.values())

    # An arm that is tuned no more goes by its settings, not by what was once found.
    assert conductor(tmp_path, said, {"set": {"optimizer.lr": 0.004}}).tuned() == {"W1": {}}


def test_the_check_is_done_again_for_other_seeds(tmp_path: Path) -> None:
    said = Teller()
    one = conductor(tmp_path, said)
    one.tune()
    one.check()
    rows = read_json(tmp_path / "W1" / "check.json")["rows"]
    assert {row["key"] for row in rows} == {"optimizer.lr"}
    lines = len(said.lines)
    conductor(tmp_path, said).check()
    assert len(said.lines) == lines
    tuning = one.study.tuning
    assert tuning is not None
    others = tuning.model_dump(mode="json") | {"check": [93, 94]}
    conductor(tmp_path, said, tuning=others).check()
    assert len(said.lines) > lines
    assert read_json(tmp_path / "W1" / "check.json")["seeds"] == [93, 94]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"set": {"optimizer.lrr": 0.1}}, "unknown key 'optimizer.lrr'"),
        ({"tune": {"optimizer.lrr": [0.1]}}, "unknown key 'optimizer.lrr'"),
        ({"set": {"corpus.world": 2}}, "another corpus"),
    ],
)
def test_an_arm_that_is_no_recipe_is_refused_before_anything_is_trained(
    tmp_path: Path, arm: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match="arm B1") as caught:
        conductor(tmp_path, Teller(), arm)
    assert message in str(caught.value)


def test_rules_may_not_see_what_runs_are_scored_on(tmp_path: Path) -> None:
    workload = STUDY["workloads"]["W1"]
    recipe = workload["recipe"] | {"corpus": {"kind": "story_world", "probes": "development"}}
    workloads = {"W1": workload | {"recipe": recipe}}
    with pytest.raises(RecipeError, match=r"arm T: corpus.probes.*got 'development'"):
        Conductor(validate(Study, STUDY | {"workloads": workloads}, where="s"), tmp_path, here, say)


def say(text: str) -> None:
    """Keep quiet."""


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "study").write_text("")
    with pytest.raises(UserError, match="is a file, not a folder"):
        conductor(tmp_path / "study", Teller()).tune()
