"""Levers that are not pulled, or pulled to what holds anyway, leave a run as it was, bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nucleate.core import RecipeError
from tests.unit.train.levers.conftest import CONTEXT, LEVERS, ROWS, end, go_on, loop_in, short

NEUTRAL: dict[str, Any] = {
    "warm": 0,
    "dense": 0.0,
    "coarsen": 1,
    "depth": 2,
    "sequence": CONTEXT,
    "batch": ROWS,
    "freeze": 0,
    "reinforce": 0,
    "upcycle": 1,
    "cooccurrence": 0,
    "ablate": False,
}


def _run(path: Path, levers: dict[str, Any], pulls: dict[int, list[tuple[str, Any]]]) -> Any:
    with loop_in(path, short(tokens=320, levers=levers)) as loop:
        batches = go_on(loop, pulls)
        found = {**end(loop), "batches": batches, "parts": loop.training.ledger.parts()}
    found["state"]["stream"] = found["state"]["stream"]["streams"]["corpus"]
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return _run(tmp_path_factory.mktemp("plain") / "run", {}, {})


def test_levers_that_are_never_pulled_change_nothing(tmp_path: Path, plain: Any) -> None:
    assert _run(tmp_path / "run", LEVERS, {}) == plain


@pytest.mark.parametrize("lever", NEUTRAL)
def test_a_lever_pulled_to_what_holds_anyway_changes_nothing(
    tmp_path: Path, plain: Any, lever: str
) -> None:
    to = NEUTRAL[lever]
    assert _run(tmp_path / "run", LEVERS, {0: [(lever, to)], 4: [(lever, to)]}) == plain


@pytest.mark.parametrize(
    ("lever", "to"),
    [
        ("depth", 1),
        ("coarsen", 4),
        ("sequence", 8),
        ("batch", 4),
        ("freeze", 1),
        ("reinforce", 0.5),
        ("upcycle", 4),
        ("decay", 64),
        ("warm", 1),
        ("dense", 1),
        ("cooccurrence", 0.05),
        ("ablate", True),
    ],
)
def test_the_comparison_sees_every_lever(tmp_path: Path, plain: Any, lever: str, to: Any) -> None:
    found = _run(tmp_path / "run", LEVERS, {0: [(lever, to)]})
    assert found["weights"] != plain["weights"]


@pytest.mark.parametrize(
    ("lever", "to"),
    [
        ("depth", 0),
        ("depth", 1.5),
        ("coarsen", True),
        ("sequence", 1),
        ("batch", "many"),
        ("decay", 0),
        ("decay", 1.5),
        ("decay", float("inf")),
        ("freeze", -1),
        ("reinforce", -0.1),
        ("upcycle", 0),
        ("cooccurrence", -0.1),
        ("ablate", 1),
    ],
)
def test_settings_that_a_lever_does_not_take_are_one_line(
    tmp_path: Path, lever: str, to: Any
) -> None:
    with (
        loop_in(tmp_path / "run", short()) as loop,
        pytest.raises(RecipeError, match=f"lever {lever} does not take") as caught,
    ):
        loop.pull(lever, to)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200
