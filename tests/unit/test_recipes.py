"""Every recipe that ships can be read and fits its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.studies.savings.arms import arm_recipe
from nucleate.studies.savings.settings import load_study
from nucleate.train.presets import demo_recipe, text_recipe
from nucleate.train.recipe import load_recipe

FILES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
STUDIES = [path for path in FILES if "\nworkloads:" in path.read_text()]


@pytest.mark.parametrize(
    "path", [path for path in FILES if path not in STUDIES], ids=lambda path: path.stem
)
def test_shipped_recipes_are_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_valid_in_every_arm(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    for workload in study.workloads.values():
        for arm, settings in workload.arms.items():
            if settings.timing in ("own", "fixed"):
                assert arm_recipe(workload, arm, {}, seed=study.seeds[0]).name == arm


def test_presets_follow_a_changed_length() -> None:
    assert text_recipe(["a.txt"], tokens=1000).schedule.warmup_tokens == 100
    assert demo_recipe(tokens=1000).probes.first_tokens == 251
    # A try-out may spend more on looking than on training; a real run may not.
    assert demo_recipe(tokens=100_000).probes.cost_cap > 10
    assert demo_recipe().probes.cost_cap == 0.2
    assert demo_recipe(seed=3).seed == 3


def test_a_section_that_says_one_thing_keeps_the_rest_of_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tokens: 4e6\nmodel: {layers: 2}\nprobes: {per_decade: 20}\n")
    partial = load_recipe(path)
    path.write_text("tokens: 4e6\n")
    whole = load_recipe(path)
    assert partial.model.resolved().width == whole.model.resolved().width == 64
    assert partial.model.tie_embeddings
    assert partial.model.layers == 2
    assert (partial.probes.cost_cap, partial.probes.items) == (0.1, 128)
    assert partial.probes.per_decade == 20
    path.write_text("tokens: 4e6\nmodel: {size: base}\nprobes: {cost_cap: 0.05}\n")
    other = load_recipe(path)
    assert other.model.resolved().width == 256
    assert (other.probes.cost_cap, other.probes.items) == (0.05, 128)
    empty = whole.model_copy(update={"model": load_recipe(path, model={}).model})
    assert empty == whole
