from __future__ import annotations

import math

import pytest

from nucleate.store import Run
from nucleate.views.page import compared
from nucleate.views.page.judging import Judgement
from nucleate.views.page.sections import analysis_of
from nucleate.views.page.snapshot import snapshot_of
from tests.unit.views.page.made import small_run


def opened(*paths):
    snapshots = [snapshot_of(path.name, Run.open(path), "s") for path in paths]
    return snapshots, [analysis_of(each, Judgement()) for each in snapshots]


@pytest.fixture
def two_methods(tmp_path):
    """Seeds 0–2 of two methods: the second jumps too (.8 of the way), the first never does."""
    paths = []
    for name, jump in (("base", 99), ("new", 15)):
        for seed in range(3):
            recipe = {"tokens": 30_000, "seed": seed, "optimizer": {"kind": name}}
            paths.append(small_run(tmp_path / f"{name}{seed}", seed=seed, jump=jump, recipe=recipe))
    return opened(*paths)


def test_pairs_of_one_seed(two_methods):
    couples, pairs = compared.paired(*two_methods)
    assert couples == [(f"data {s}, model {s}", s, 3 + s) for s in range(3)]
    (pair,) = pairs
    assert pair.level == "syntax"
    assert pair.differences == pytest.approx((0.8, 0.8, 0.8))
    assert (pair.up, pair.down, pair.p) == (3, 0, 0.25)
    assert pair.mean == pytest.approx(0.8)


def test_no_pairs_where_there_is_one_method_or_no_common_seed(tmp_path, two_methods):
    snapshots, analyses = two_methods
    assert compared.paired(snapshots[:3], analyses[:3]) == ([], [])
    assert compared.paired([snapshots[0], snapshots[4]], [analyses[0], analyses[4]]) == ([], [])
    assert len(compared.methods(snapshots)) == 2


def test_settings_that_differ(two_methods):
    snapshots, _ = two_methods
    rows, more = compared.differing([snapshots[0], snapshots[4]])
    assert rows == [("seed", ["0", "1"]), ("optimizer.kind", ['"base"', '"new"'])]
    assert more == 0


def test_overlays_name_and_colour_each_run(two_methods):
    snapshots, analyses = two_methods
    names = [each.key for each in snapshots]
    ((level, title, drawing),) = compared.level_overlays(snapshots, analyses, names)
    assert (level, title) == ("syntax", "agreement across an attractor")
    assert all(f'class="line m{n}"' in drawing for n in range(6))
    assert "base0" in drawing
    assert 'class="line m5"' in compared.loss_overlay(snapshots, names)


def test_changes_tell_not_judged_from_not_sharp(two_methods):
    from nucleate.core import Assessment, Verdict

    snapshots, analyses = two_methods
    judgement = Judgement()
    metric = "agreement.attractor.accuracy"
    judgement.take({metric: Assessment(metric, Verdict.SMOOTH)}, None, 30_000, whole=True)
    judged = analysis_of(snapshots[0], judgement)
    ((level, cells),) = compared.changes_table([judged, analyses[1]])
    assert (str(level), cells) == ("syntax", ["nothing sharp", None])


def test_runs_without_losses_have_no_loss_overlay(tmp_path):
    snapshots, _ = opened(small_run(tmp_path / "a", steps=1, loss=math.nan))
    assert compared.loss_overlay(snapshots, ["a"]) == ""


def test_only_recipes_tell_that_nothing_but_seeds_differs(tmp_path):
    """What a training loop of one's own was set to is not known: nothing is said of it."""
    runs = {}
    for kind, recipe in (("trained", {"corpus": {"kind": "text"}}), ("watched", {"watched": "A"})):
        paths = [
            small_run(tmp_path / f"{kind}{seed}", recipe={**recipe, "seed": seed}, seed=seed)
            for seed in range(2)
        ]
        runs[kind] = opened(*paths)[0]
    assert compared.of_one_method(runs["trained"])
    assert not compared.of_one_method(runs["watched"])
    assert not compared.of_one_method([runs["trained"][0], runs["watched"][0]])


def test_a_run_that_has_come_further_is_compared_where_the_other_stands(tmp_path):
    """The base jumps at step 15 and has come to 30; the other has seen ten steps."""
    paths = [
        small_run(tmp_path / name, steps=steps, recipe={"optimizer": {"kind": name}})
        for name, steps in (("base", 30), ("new", 10))
    ]
    _, (pair,) = compared.paired(*opened(*paths))
    assert pair.differences == (0.0,)
    assert (pair.up, pair.down) == (0, 0)
