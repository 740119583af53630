"""What a lever refuses, in one line that says why, instead of a traceback or silent nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nucleate.core import RecipeError
from nucleate.core.settings import validate
from nucleate.train.recipe import Recipe
from tests.unit.train.levers.conftest import go_on, loop_in, short, training

DYCK = {"kind": "procedural", "task": "dyck"}
MIXTURE = {"kind": "mixture", "mixture": {"where": 9}}


@pytest.mark.parametrize("order", [("warm", "dense"), ("dense", "warm")])
def test_shares_that_add_up_to_more_than_all_rows(order: tuple[str, str]) -> None:
    run = training()
    for lever, to in zip(order, (0.75, 0.25), strict=True):
        run.recipe.levers[lever].pull(run, to)
    before = run.stream.shares
    with pytest.raises(RecipeError, match=r"pull: .*rows that others have.*0\.5.*at most 0\.25"):
        run.recipe.levers[order[1]].pull(run, 0.5)
    assert run.stream.shares == before


def test_reinforced_layers_that_a_shallower_model_does_not_have() -> None:
    run = training(
        levers={"circuit": {"kind": "reinforce", "induction": [1]}, "depth": {"kind": "depth"}}
    )
    run.recipe.levers["circuit"].pull(run, 0.1)
    with pytest.raises(RecipeError, match=r"reinforce names a layer that is not there.*0 … 0"):
        run.recipe.levers["depth"].pull(run, 1)


@pytest.mark.parametrize(
    ("levers", "words"),
    [
        ({"a": {"kind": "procedural"}, "b": {"kind": "procedural", "symbols": 4}}, "repeat.*'a'"),
        ({"a": DYCK, "b": DYCK}, "dyck.*'a'"),
        ({"a": MIXTURE, "b": MIXTURE}, "dense.*'a'"),
        ({"a": {**MIXTURE, "name": "corpus"}}, "with the corpus"),
        ({"a": DYCK, "b": {**MIXTURE, "name": "procedural dyck"}}, "with 'a'"),
    ],
)
def test_levers_whose_rows_could_not_be_told_apart(levers: dict[str, Any], words: str) -> None:
    content = short().model_dump(mode="json") | {"levers": levers}
    with pytest.raises(RecipeError, match=f"would share its rows.*{words}"):
        validate(Recipe, content, where="recipe.yaml")


def test_levers_with_rows_of_their_own_are_fine() -> None:
    short(levers={"a": DYCK, "b": {"kind": "procedural"}, "c": MIXTURE, "d": {"kind": "depth"}})


def test_a_decay_over_a_share_of_no_tokens(tmp_path: Path) -> None:
    with loop_in(tmp_path / "run", short()) as loop:
        with pytest.raises(RecipeError, match=r"share of the tokens so far.*got 0\.25"):
            loop.pull("decay", 0.25)
        go_on(loop, {1: [("decay", 0.5)]})
        assert loop.training.tokens == 64
