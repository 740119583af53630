"""Every recipe that ships can be read and fits its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.train.presets import demo_recipe, text_recipe
from nucleate.train.recipe import load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_presets_follow_a_changed_length() -> None:
    assert text_recipe(["a.txt"], tokens=1000).schedule.warmup_tokens == 100
    assert demo_recipe(tokens=1000).probes.first_tokens == 251
    # A try-out may spend more on looking than on training; a real run may not.
    assert demo_recipe(tokens=100_000).probes.cost_cap > 10
    assert demo_recipe().probes.cost_cap == 0.2
    assert demo_recipe(seed=3).seed == 3
