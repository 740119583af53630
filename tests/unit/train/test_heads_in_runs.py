"""Heads looked at during a run: kept as arrays, paid from the same cap, seen by no weight."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nucleate.core import UserError
from nucleate.models import load_checkpoint
from nucleate.probes.inside import lens_cost
from nucleate.probes.mechanism.roles import assign_roles
from nucleate.store import Run
from nucleate.train.recipe import Recipe
from nucleate.train.session import run
from nucleate.train.workload import build_workload
from tests.unit.train.conftest import fingerprint, tiny
from tests.unit.train.test_loop import KillAt, Killed, trained

HEADS = {"per_decade": 6, "first_tokens": 256, "cost_cap": 100, "items": 8, "heads_per_decade": 6}


def looking(**changes: object) -> Recipe:
    return tiny(**({"probes": HEADS} | changes))


def test_looking_at_heads_changes_nothing(tmp_path: Path) -> None:
    with_heads = fingerprint(trained(tmp_path / "a", looking()))
    without = fingerprint(trained(tmp_path / "b", tiny(), observed=False))
    assert with_heads == without
    assert len(Run.open(tmp_path / "a").heads().steps) == 9
    assert not Run.open(tmp_path / "b").heads().steps


def test_what_is_kept_is_what_was_measured(tmp_path: Path) -> None:
    folder = Run.open(run(looking(), tmp_path / "run"))
    history = folder.heads()
    assert not history.damaged
    assert history.steps[-1].tokens == 24 * 256
    table = history.tables[-1]
    assert history.values("induction").shape == (9, 1, 2)
    curve = folder.curves()["heads.induction.max"]
    np.testing.assert_array_equal(curve.values, history.values("induction").max((1, 2)))
    assert [step.step for step in curve.steps] == [step.step for step in history.steps]
    effects = {
        name.removeprefix("ablation."): scores
        for name, scores in table.scores.items()
        if name.startswith("ablation.")
    }
    assert table.asked["entity link"] == ("entity_link", "ablation.state")
    # The claims that were kept are those that the kept numbers give.
    assert table.roles == tuple(assign_roles(table.scores, effects))


def test_its_cost_is_booked_and_stays_within_the_cap(tmp_path: Path) -> None:
    loop = trained(tmp_path / "a", looking())
    plain = trained(tmp_path / "b", tiny())
    assert loop.heads is not None
    assert loop.workload.heads is not None
    parts = {entry.part: entry.flops for entry in Run.open(tmp_path / "a").ledger()}
    alone = {entry.part: entry.flops for entry in Run.open(tmp_path / "b").ledger()}
    each = loop.workload.heads.forward_tokens * loop.training.probe_flops
    assert loop.heads.flops == pytest.approx(9 * each)
    assert parts["probes"] - alone["probes"] == pytest.approx(9 * each)
    assert plain.heads is None


def test_half_of_the_cap_at_most_goes_to_heads(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="looks at heads cannot keep to their share"):
        run(looking(probes=HEADS | {"cost_cap": 1}), tmp_path / "run")


def test_killed_and_resumed_keeps_the_same_heads(tmp_path: Path) -> None:
    recipe = looking(resume_every=256)
    whole = Run.open(run(recipe, tmp_path / "whole")).heads()
    with pytest.raises(Killed):
        run(recipe, tmp_path / "cut", listener=KillAt(13))
    run(recipe, tmp_path / "cut", resume=True)
    cut = Run.open(tmp_path / "cut").heads()
    assert [step.step for step in cut.steps] == [step.step for step in whole.steps]
    for name in whole.names:
        np.testing.assert_array_equal(cut.values(name), whole.values(name))
    load_checkpoint(tmp_path / "cut" / "resume")


def test_heads_are_off_unless_asked_for() -> None:
    assert build_workload(tiny()).heads is None


def test_a_context_too_short_for_a_repeated_string_is_refused() -> None:
    with pytest.raises(ValidationError, match="context of 52 or more"):
        looking(context=48)


def test_texts_are_looked_at_without_notes(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    words = "the cat sat on a mat and saw the dog run home . ".split()
    rng = np.random.default_rng(0)
    text.write_text("\n\n".join(" ".join(rng.choice(words, 120)) for _ in range(200)))
    corpus = {"kind": "text", "paths": [str(text)], "vocab_size": 300, "held_out_share": 0.2}
    items = HEADS | {"items": 16}
    folder = run(looking(corpus=corpus, probes=items), tmp_path / "run")
    assert Run.open(folder).heads().roles == ("previous token", "induction")


EXPERTS = {
    "family": "mixtral",
    "layers": 1,
    "width": 16,
    "heads": 2,
    "experts": 4,
    "experts_per_token": 2,
}


def test_what_else_is_asked_inside_is_read_at_every_look_and_changes_nothing(
    tmp_path: Path,
) -> None:
    asked = HEADS | {"inside": ["geometry", "lens", "routers"], "cost_cap": 1000}
    loop = trained(tmp_path / "a", tiny(model=EXPERTS, probes=asked))
    plain = trained(tmp_path / "b", tiny(model=EXPERTS), observed=False)
    assert fingerprint(loop) == fingerprint(plain)
    curves = Run.open(tmp_path / "a").curves()
    looks = [step.tokens for step in Run.open(tmp_path / "a").heads().steps]
    for metric in (
        "geometry.L1.rankme",
        "lens.L0.kl",
        "routers.L0.entropy",
        "routers.L0.class_specialization",
        "routers.L0.level_specialization",
        "routers.L0.level_beyond_token",
    ):
        assert curves[metric].tokens.tolist() == looks, metric
    assert loop.workload.heads is not None
    alone = build_workload(tiny(model=EXPERTS, probes=HEADS)).heads
    assert alone is not None
    rows = 24 * 64  # of held-out text: a pass for geometry and lens, one for routers
    read = 24 * (512 // 24)  # positions of the lens, each through the head once more a layer
    head = math.ceil(lens_cost(loop.training.model.config, 64) * read)
    assert loop.workload.heads.forward_tokens == alone.forward_tokens + 2 * rows + head


def test_asking_inside_without_looks_or_experts_is_refused() -> None:
    with pytest.raises(ValidationError, match="set heads_per_decade too"):
        tiny(probes={"inside": ["geometry"]})
    with pytest.raises(ValidationError, match="the model has no experts"):
        tiny(probes=HEADS | {"inside": ["routers"]})
