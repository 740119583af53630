"""A decay that is started by hand: rates in closed form, and the end of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.core import RecipeError
from nucleate.store import Run
from nucleate.train.recipe import ScheduleSettings
from nucleate.train.schedule import Clock
from tests.unit.train.levers.conftest import go_on, loop_in, short, training

CONSTANT = {"kind": "constant", "warmup_tokens": 0}


def test_the_rate_falls_linearly_from_where_it_is() -> None:
    clock = Clock(ScheduleSettings(kind="wsd", warmup_tokens=0, decay_share=0.5, final=0.1), 1000)
    assert clock.share(750) == pytest.approx(0.55)  # half way down to 0.1
    clock.start_decay(750, 100)
    assert clock.share(750) == pytest.approx(0.55)
    assert clock.share(800) == pytest.approx((0.55 + 0.1) / 2)
    assert clock.share(850) == clock.share(2000) == pytest.approx(0.1)
    assert clock.total == 850


def test_a_decay_in_the_warm_up_does_not_jump_to_the_peak() -> None:
    clock = Clock(ScheduleSettings(kind="constant", warmup_tokens=100), 1000)
    clock.start_decay(49, 100)
    assert clock.share(49) == pytest.approx(0.5)
    assert clock.share(99) == pytest.approx(0.25)


def test_a_restored_clock_goes_on_as_it_was() -> None:
    settings = ScheduleSettings(kind="wsd", warmup_tokens=0, decay_share=0.5)
    clock, other = Clock(settings, 1000), Clock(settings, 1000)
    clock.start_decay(700, 300)
    other.start_decay(0, 300)  # pulled again when a run is resumed, before its place is known
    other.restore(clock.state())
    assert [clock.share(t) for t in range(0, 1100, 7)] == [
        other.share(t) for t in range(0, 1100, 7)
    ]


@pytest.mark.parametrize(
    ("to", "tokens"),
    [(96, 256 + 96), (0.25, 256 + 64), (96.0, 256 + 96)],
)
def test_the_run_ends_with_its_decay(tmp_path: Path, to: float, tokens: int) -> None:
    with loop_in(tmp_path / "run", short(schedule=CONSTANT)) as loop:
        go_on(loop, {8: [("decay", to)]})
        assert loop.training.tokens == loop.training.clock.total == tokens


def test_a_run_may_end_later_than_its_recipe_says(tmp_path: Path) -> None:
    with loop_in(tmp_path / "run", short(schedule=CONSTANT)) as loop:
        go_on(loop, {39: [("decay", 320)]})
        assert loop.step.step == 39 + 10


def test_a_cosine_has_one_end() -> None:
    run = training(schedule={"kind": "cosine"})
    with pytest.raises(RecipeError, match="cannot end a cosine early"):
        run.recipe.levers["decay"].pull(run, 100)


def test_a_run_is_read_where_its_decay_ends_it(tmp_path: Path) -> None:
    probes = {"per_decade": 2, "first_tokens": 64, "cost_cap": 100, "items": 8, "only": ["refrain"]}
    recipe = short(schedule=CONSTANT, probes=probes)
    with loop_in(tmp_path / "run", recipe, observed=True) as loop:
        go_on(loop, {8: [("decay", 96)]})
    read = sorted({step.tokens for step, _ in Run.open(tmp_path / "run").readings()})
    assert read == [64, 192, 352]  # half a decade apart, and at the end
