"""Settings, arms and searches of a study: what is refused, and what a change does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nucleate.core import Decision, RecipeError, Step
from nucleate.core.settings import validate
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.arms import (
    arm_changes,
    arm_recipe,
    changed,
    digest,
    needs_readings,
    retimed,
)
from nucleate.studies.savings.bench import Bench
from nucleate.studies.savings.jobs import read_json
from nucleate.studies.savings.pool import here
from nucleate.studies.savings.records import Record, baseline_of
from nucleate.studies.savings.rounds import Round, job_of, slots
from nucleate.studies.savings.search import at_edge, neighbours, search
from nucleate.studies.savings.settings import Study, load_study
from nucleate.studies.savings.tuning import Trial, Tuner
from nucleate.train.recipe import Recipe

RECIPE = {"tokens": 4096, "rows": 4, "context": 64, "schedule": {"warmup_tokens": 0}}
HORIZONS = [1024, 1536, 2048, 3072, 4096]


def study(**changes: Any) -> Study:
    content: dict[str, Any] = {
        "seeds": [10, 11, 12, 13],
        "tuning": {"runs": 4, "seeds": [1], "check": [2, 3]},
        "workloads": {
            "W1": {
                "recipe": RECIPE,
                "horizons": HORIZONS,
                "arms": {
                    "B1": {"tune": {"optimizer.lr": [0.001, 0.002]}},
                    "T": {"like": "B1", "set": {"tokens": 3072}},
                },
            }
        },
    }
    return validate(Study, content | changes, where="study")


def workload(**arms: Any) -> dict[str, Any]:
    return {"W1": {"recipe": RECIPE, "horizons": HORIZONS, "arms": {"B1": {}, "T": {}} | arms}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1, 11]}, "seeds [1] are used twice"),
        ({"tuning": None}, "there is no budget"),
        ({"looks": [2, 3]}, "the last at all 4 seeds"),
        ({"looks": [3, 4]}, "looks must be one or two"),
        ({"treated": "T2"}, "has no arm T2"),
        ({"workloads": workload(X={"like": "Y"})}, "arm X names 'Y'"),
        ({"workloads": workload(T={"like": "X"}, X={"like": "T"})}, "in a circle"),
        ({"workloads": {"a/b": workload()["W1"]}}, "'a/b' is no name of a workload"),
        ({"workloads": workload(**{"a/b": {}})}, "'a/b' is no name of an arm"),
        ({"sedes": [1]}, "unknown key 'sedes'"),
    ],
)
def test_mistakes_are_one_line_that_names_them(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        study(**changes)
    assert message in str(caught.value)


def test_a_recipe_beside_the_study_is_read(tmp_path: Any) -> None:
    (tmp_path / "base.yaml").write_text("tokens: 4096\nrows: 4\ncontext: 64\n")
    (tmp_path / "study.yaml").write_text(
        "seeds: [1, 2]\nworkloads:\n  W1:\n    recipe: base.yaml\n"
        f"    horizons: {HORIZONS}\n    arms: {{B1: {{}}, T: {{}}}}\n"
    )
    assert load_study(tmp_path / "study.yaml").workloads["W1"].recipe == {
        "tokens": 4096,
        "rows": 4,
        "context": 64,
    }
    (tmp_path / "base.yaml").write_text("# nothing\n")
    with pytest.raises(RecipeError, match=r"base.yaml: is empty"):
        load_study(tmp_path / "study.yaml")


def test_changes_by_dotted_key_touch_nothing_else() -> None:
    recipe = {"optimizer": {"lr": 0.1, "clip": 1.0}, "policy": [{"by": 1}, {"by": 2}]}
    after = changed(recipe, {"optimizer.lr": 0.2, "policy.1.by": 7, "model.width": 32}, "arm")
    assert after == {
        "optimizer": {"lr": 0.2, "clip": 1.0},
        "policy": [{"by": 1}, {"by": 7}],
        "model": {"width": 32},
    }
    assert recipe["policy"][1] == {"by": 2}
    with pytest.raises(RecipeError, match="leads nowhere"):
        changed(recipe, {"optimizer.lr.peak": 1}, "arm")
    with pytest.raises(RecipeError, match="leads nowhere"):
        changed(recipe, {"policy.5.by": 1}, "arm")


def test_an_arm_takes_over_what_was_tuned_for_the_arm_it_is_like() -> None:
    one = study().workloads["W1"]
    tuned = {"B1": {"optimizer.lr": 0.002, "at.anneal": 500}}
    assert arm_changes(one, "T", tuned) == (
        {"optimizer.lr": 0.002, "tokens": 3072},
        {"anneal": 500},
    )
    recipe = arm_recipe(one, "T", tuned, seed=5)
    assert (recipe.optimizer.lr, recipe.tokens, recipe.seed) == (0.002, 3072, 5)


def test_arms_share_the_corpus() -> None:
    one = study(workloads=workload(T={"set": {"corpus.world": 3}})).workloads["W1"]
    with pytest.raises(RecipeError, match="another corpus"):
        arm_recipe(one, "T", {}, seed=0)


def test_plain_recipes_need_no_readings() -> None:
    assert not needs_readings(arm_recipe(study().workloads["W1"], "T", {}, seed=0))


def test_a_sham_rule_fires_before_the_last_step() -> None:
    when = {"above": {"metric": "refrain.all.accuracy", "value": 0.5}}
    recipe = Recipe.model_validate(
        {
            "tokens": 5000,
            "rows": 4,
            "context": 100,
            "levers": {"circuit": {"kind": "reinforce"}},
            "policy": [{"name": "stop", "when": when, "pull": {"circuit": 0}}],
        }
    )
    made = [Decision(Step(12, 4800), "stop", {"circuit": 0}, {})]
    times = [
        retimed(recipe, "sham", {}, made, seed).policy[0].when.tokens or 0 for seed in range(100)
    ]
    assert 4000 < max(times) <= 4600


def test_every_horizon_of_the_baseline_is_run_for_every_seed() -> None:
    round_ = Round("runs", (10, 11), Split.SEALED)
    found = slots(study(), "W1", round_)
    assert sorted((s.seed, s.tokens) for s in found if s.arm == "B1") == [
        (seed, tokens) for seed in (10, 11) for tokens in HORIZONS
    ]
    assert [(s.seed, s.tokens) for s in found if s.arm == "T"] == [(10, None), (11, None)]


def test_the_baselines_own_length_is_a_horizon() -> None:
    arms = workload(B1={"set": {"tokens": 5000}})
    with pytest.raises(RecipeError, match="must be one of the horizons"):
        slots(study(workloads=arms), "W1", Round("runs", (10,), Split.SEALED))


def test_a_yoked_run_never_borrows_from_its_own_seed_nor_from_a_later_look() -> None:
    seeds = tuple(range(10))
    lenders = [Round("runs", seeds, Split.SEALED, (5, 10)).lender(seed) for seed in seeds]
    assert lenders == [1, 2, 3, 4, 0, 6, 7, 8, 9, 5]


def test_names_of_runs_follow_from_what_decides_them(tmp_path: Any) -> None:
    one = study()
    slot = next(s for s in slots(one, "W1", Round("runs", (10,), Split.SEALED)) if s.arm == "T")
    key = job_of(one, slot, {}, tmp_path).key
    assert key.startswith("T-3072-seed10-")
    assert job_of(one, slot, {"B1": {"optimizer.lr": 0.9}}, tmp_path).key != key
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})


def test_a_trial_that_broke_off_is_written_down(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(self: Tuner, arm: str, batch: Any, seeds: Any) -> list[Trial]:
        fine = Record(arm, 1, "a", flops=7e9, scores={"composite": 0.5, "loss": 2.0})
        lost = Record(arm, 1, "b", failed="MemoryError: no more")
        return [Trial(s, (fine if s["optimizer.lr"] == 0.001 else lost,)) for s in batch]

    monkeypatch.setattr(Tuner, "_try", tried)
    one = study()
    Tuner(one, "W1", tmp_path, Bench(one, here, print)).tune()
    found = read_json(tmp_path / "W1" / "tuning.json")["B1"]
    assert (found["chosen"], found["flops"]) == ({"optimizer.lr": 0.001}, 7e9)
    assert {trial["setting"]["optimizer.lr"]: trial["flops"] for trial in found["trials"]} == {
        0.001: 7e9,
        0.002: 0,
    }
    assert ["MemoryError: no more"] in [trial["failed"] for trial in found["trials"]]


def test_a_horizon_costs_what_its_known_runs_cost() -> None:
    lost = Record("B1", 2, "b", failed="MemoryError")
    found = baseline_of(
        [[Record("B1", 1, "a", flops=7e9, scores={"syntax": 0.5})], [lost]], "syntax"
    )
    assert found.costs.tolist() == [7e9]
    assert np.isnan(found.qualities[1, 0])


def bowl(setting: dict[str, float]) -> float:
    return -((setting["x"] - 3) ** 2) - (setting["y"] - 20) ** 2


def climb(how: str, budget: int, start: dict[str, float]) -> tuple[list[dict[str, float]], float]:
    steps = search({"x": [1, 2, 3, 4], "y": [10, 20, 30]}, how, budget, 0, start)
    tried: list[dict[str, float]] = []
    try:
        batch = next(steps)
        while True:
            tried += batch
            batch = steps.send([bowl(setting) for setting in batch])
    except StopIteration:
        return tried, max(map(bowl, tried))


@pytest.mark.parametrize(("how", "budget"), [("grid", 12), ("turns", 12), ("random", 12)])
def test_searches_find_the_best_and_try_nothing_twice(how: str, budget: int) -> None:
    tried, best = climb(how, budget, {"x": 1, "y": 10})
    assert best == 0
    assert len({digest(setting) for setting in tried}) == len(tried) <= budget


def test_taking_turns_needs_fewer_runs_than_the_grid() -> None:
    assert len(climb("turns", 100, {"x": 1, "y": 10})[0]) == 4 + 2 + 3  # x, y, x again


def test_budgets_are_kept() -> None:
    assert len(climb("turns", 3, {})[0]) == 3
    assert len(climb("random", 5, {})[0]) == 5
    with pytest.raises(RecipeError, match="larger than the budget"):
        climb("grid", 11, {})


def test_neighbours_are_one_step_away_and_edges_are_named() -> None:
    values = {"lr": [1, 2, 4, 8], "wd": [0.0, 0.1, 0.2], "kind": ["a", "b"]}
    chosen = {"lr": 4, "wd": 0.0, "kind": "a"}
    assert neighbours(chosen, values) == [
        ("lr", {"lr": 2, "wd": 0.0, "kind": "a"}),
        ("lr", {"lr": 8, "wd": 0.0, "kind": "a"}),
        ("wd", {"lr": 4, "wd": 0.1, "kind": "a"}),
        ("kind", {"lr": 4, "wd": 0.0, "kind": "b"}),
    ]
    assert at_edge(chosen, values) == []
    assert at_edge({**chosen, "lr": 8, "wd": 0.2}, values) == ["lr", "wd"]


def test_what_is_set_as_a_whole_ends_what_was_set_inside_it() -> None:
    arms = {
        "T": {"set": {"optimizer.lr": 0.1, "optimizer.clip": 2.0}},
        "U": {"like": "T", "set": {"optimizer": {"lr": 0.5}}, "tune": {}},
    }
    one = study(workloads=workload(**arms)).workloads["W1"]
    changes, _ = arm_changes(one, "U", {"T": {"optimizer.lr": 0.2}, "U": {"optimizer.clip": 3.0}})
    assert changes == {"optimizer": {"lr": 0.5}, "optimizer.clip": 3.0}
    assert list(changes) == ["optimizer", "optimizer.clip"]
