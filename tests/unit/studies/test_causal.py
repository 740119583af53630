"""Holding heads out: who is chosen, when something came, and that an arm is the run until then."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nucleate.core import Curve, Level, RunFolderError, Step, UserError
from nucleate.core.heads import HeadTable, Role, unlabel
from nucleate.store import Manifest, Run, RunWriter
from nucleate.studies.causal.arms import arm_recipe, refuse_two_recipes, same_until, trained
from nucleate.studies.causal.heads import choose
from nucleate.studies.causal.onset import halfway, off_chance, read_timing, timing
from nucleate.studies.causal.study import _delay, causal
from nucleate.studies.causal.without import curve_without
from nucleate.studies.savings.analysis import plain
from nucleate.train.presets import demo_recipe
from nucleate.train.session import run as train
from nucleate.views.causal import delay_rows
from tests.unit.train.conftest import tiny
from tests.unit.views.made_heads import LOOKS, at, table, write_heads_run


def _with_roles(path: Path, *held: tuple[str, str]) -> Run:
    """Write a run of 2 × 3 heads in which some heads hold roles at its only look."""
    found = table(0)
    roles = tuple(Role(head, role, 0.9, 2.0) for head, role in held)
    with RunWriter.create(path, Manifest("made", seeds={"model": 3})) as writer:
        writer.heads(at(LOOKS[0]), HeadTable(found.scores, found.asked, roles))
    return Run.open(path)


def test_the_control_is_of_the_same_layer_and_never_had_a_role(tmp_path: Path) -> None:
    run = _with_roles(tmp_path / "run", ("L1H0", "entity link"), ("L1H1", "refrain"))
    chosen = choose(run)
    assert chosen is not None
    assert chosen.candidate == ("L1H0",)
    # L1H1 has a role that was not judged here, so it is not known to be busy: both may be drawn.
    assert chosen.control[0] in ("L1H1", "L1H2")
    assert (chosen.matched, chosen.idle, chosen.taken) == (True, True, LOOKS[0])


def test_a_busy_head_is_taken_before_one_of_another_layer_and_said_to_be_busy(
    tmp_path: Path,
) -> None:
    run = _with_roles(
        tmp_path / "run",
        *(("L1H0", "entity link"), ("L1H1", "name mover"), ("L1H2", "name mover")),
    )
    chosen = choose(run, ["entity link"])
    assert chosen is not None
    assert unlabel(chosen.control[0])[0] == 1
    assert (chosen.matched, chosen.idle) == (True, False)
    both = choose(run)
    assert both is not None
    assert both.candidate == ("L1H0", "L1H1", "L1H2")
    assert both.control == ("L0H0", "L0H1", "L0H2")
    assert (both.matched, both.idle) == (False, True)


def test_a_head_that_lost_its_role_is_a_candidate_and_without_any_there_is_no_test(
    tmp_path: Path,
) -> None:
    chosen = choose(Run.open(write_heads_run(tmp_path / "some")))
    assert chosen is not None
    assert chosen.candidate == ("L1H0",)
    assert chosen.taken == LOOKS[3]
    assert choose(Run.open(write_heads_run(tmp_path / "none", roles=False))) is None
    with pytest.raises(UserError, match="no such role was judged"):
        choose(Run.open(tmp_path / "some"), ["poet"])


def _curve(values: list[float], se: float = 0.05) -> Curve:
    steps = tuple(Step(i, 1000 * 2**i) for i in range(len(values)))
    return Curve(
        "m.accuracy", Level.NARRATIVE, "fraction", 0.5, steps, tuple(values), (se,) * len(values)
    )


def test_when_something_came_is_the_interval_before_the_first_of_two_readings() -> None:
    # Chance .5, error .05: off chance above .65, halfway from .75. The lone .8 does not count.
    curve = _curve([0.5, 0.8, 0.5, 0.66, 0.7, 0.76, 0.74, 0.75, 0.9])
    off, half = off_chance(curve), halfway(curve)
    assert (off.lo, off.hi) == (4000, 8000)
    assert off.at == pytest.approx(np.sqrt(4000 * 8000))
    assert (half.lo, half.hi) == (64_000, 128_000)
    never = off_chance(_curve([0.5] * 9))
    assert (never.lo, never.hi) == (256_000, np.inf)
    late = off_chance(_curve([0.5] * 8 + [0.9]))  # perhaps it came after the last but one
    assert (late.lo, late.hi) == (128_000, np.inf)
    assert off_chance(_curve([0.9] * 9)).hi == 1000
    for one in (off, half, never):
        back = read_timing(timing(one))
        np.testing.assert_equal((back.at, back.lo, back.hi), (one.at, one.lo, one.hi))


def _told(values: list[float]) -> dict[str, Any]:
    curve = _curve(values)
    return {"off_chance": timing(off_chance(curve)), "halfway": timing(halfway(curve))}


def test_delays_are_decades_within_a_seed() -> None:
    early, late = [0.5] * 3 + [0.9] * 6, [0.5] * 6 + [0.9] * 3
    seeds = [
        {
            "arms": {
                "untouched": {"all heads": _told(early)},
                "candidate": {"all heads": _told(late), "held out": _told([0.5] * 9)},
                "control": {"all heads": _told(early), "held out": _told(early)},
            }
        }
    ] * 5
    found = _delay(seeds, "all heads", "off_chance", "untouched", "candidate")
    assert found["decades"] == pytest.approx([3 * np.log10(2)] * 5)
    assert (found["later"], found["earlier"], found["p"]) == (5, 0, 1 / 32)
    assert found["verdict"] == "before"
    same = _delay(seeds, "all heads", "halfway", "untouched", "control")
    assert same["decades"] == [0.0] * 5
    assert same["undecided"] == 5
    # Never seen with its heads held out: later than in the untouched run, by nobody knows how much.
    trivial = _delay(seeds, "held out", "off_chance", "untouched", "candidate")
    assert trivial["decades"] == [np.inf] * 5
    row = next(iter(delay_rows({"delays": [{**found, "hi": "inf", "p_holm": 0.375}]})))
    assert row[3:] == ("+.90", "+.90 to ∞", "5/0/0", "0.031", "0.38")
    few = _delay(seeds[:2], "all heads", "off_chance", "untouched", "candidate")
    assert next(iter(delay_rows({"delays": [plain(few)]})))[3:5] == ("+.90, +.90", "– to –")


def test_an_arm_is_the_untouched_run_until_its_heads_are_held_out(tmp_path: Path) -> None:
    recipe = tiny()
    untouched = Run.open(train(recipe, tmp_path / "untouched"))
    start = 10 * 256
    own = arm_recipe(recipe, ["L0H1"], start, None)
    arm = trained(own, tmp_path / "arm")
    assert [d.step.tokens for d in arm.decisions()] == [start]
    assert same_until(untouched, arm, start)
    assert not same_until(untouched, arm, start + 2 * 256)
    assert arm.curves().keys() == untouched.curves().keys()
    metric = "agreement.simple.accuracy"
    curve = curve_without(arm, own, ["L0H1"], metric)
    assert curve.metric == metric
    assert curve.tokens.tolist() == arm.curves()[metric].tokens.tolist()
    assert trained(own, tmp_path / "arm").attempts() == arm.attempts()
    with pytest.raises(RunFolderError, match="holds a run of another recipe"):
        trained(arm_recipe(recipe, ["L0H0"], start, None), tmp_path / "arm")
    back = trained(arm_recipe(recipe, ["L0H1"], start, 15 * 256), tmp_path / "back")
    assert [d.pulls for d in back.decisions()] == [{"held out": True}, {"held out": False}]


def test_readings_that_are_no_numbers_neither_show_nor_deny() -> None:
    nan = float("nan")
    off = off_chance(_curve([0.5, nan, nan, 0.9, 0.9]))
    assert (off.lo, off.hi) == (1000, 8000)  # it may have come at a reading that is missing
    unknown = off_chance(_curve([0.5, 0.9, 0.9], se=nan))
    assert (unknown.lo, unknown.hi) == (0, np.inf)
    assert halfway(_curve([nan] * 3)).lo == 0


def test_a_reading_before_the_first_token_places_nothing() -> None:
    steps = tuple(Step(i, 1000 * i) for i in range(4))
    curve = Curve("m.accuracy", Level.NARRATIVE, "", 0.5, steps, (0.5, 0.9, 0.9, 0.9), (0.05,) * 4)
    off = off_chance(curve)
    assert np.isnan(off.at)
    assert (off.lo, off.hi) == (0, 1000)


def test_one_seed_never_counts_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        RunWriter.create(tmp_path / name, Manifest(name, recipe={"seed": 3})).close()
    with pytest.raises(UserError, match="b: has the seed of a"):
        causal([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_of_two_recipes_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    recipes = ({"seed": 3, "optimizer": {"lr": 0.1}}, {"seed": 4, "optimizer": {"lr": 0.2}})
    for name, recipe in zip(("a", "b"), recipes, strict=True):
        RunWriter.create(tmp_path / name, Manifest(name, recipe=recipe)).close()
    with pytest.raises(UserError) as refused:
        causal([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    line = str(refused.value)
    assert "is of another recipe than a: optimizer.lr" in line
    assert "got 0.2" in line
    assert "expected 0.1" in line
    assert refused.value.exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 1}, ""),
        ({"seed": 1, "name": "again", "resume_every": 99}, ""),
        ({"seed": 1, "tokens": 1_000_000}, "tokens"),
        ({"seed": 1, "model": {"layers": 5}}, "model.layers"),
    ],
)
def test_settings_that_an_older_version_did_not_have_are_its_defaults(
    tmp_path: Path, change: dict[str, object], key: str
) -> None:
    whole = demo_recipe(seed=0).model_dump(mode="json")
    older = {name: value for name, value in whole.items() if name != "energy"}
    older["probes"] = {k: v for k, v in whole["probes"].items() if k != "only"}
    other = whole | {k: whole[k] | v if isinstance(v, dict) else v for k, v in change.items()}
    for name, recipe in (("a", older), ("b", other)):
        RunWriter.create(tmp_path / name, Manifest(name, recipe=recipe)).close()
    runs = [Run.open(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(UserError, match=f"than a: {key}") if key else nullcontext():
        refuse_two_recipes(runs)


def test_before_the_first_loss_nothing_can_differ(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b", "none"):
        with RunWriter.create(tmp_path / name, Manifest(name)) as writer:
            if name != "none":
                writer.loss(Step(1, 1000), 3.0, 1.0)
        runs.append(Run.open(tmp_path / name))
    a, b, none = runs
    assert same_until(a, b, 500)
    assert not same_until(a, none, 500)
