"""Behaviour and heads on one axis, and the map that a reader moves: places known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nucleate.core import Level, Reading
from nucleate.core.heads import Example, HeadTable
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.analysis import analyse
from nucleate.views.headdata import head_data
from nucleate.views.heads import head_story
from nucleate.views.report import render_report
from nucleate.views.together import Event, Together, together
from tests.unit.views.made_heads import LOOKS, TAKEN, at, table

STEPS = {"cause.all": (Level.SEMANTICS, 2e5), "state.holder": (Level.NARRATIVE, 1.5e6)}
"""Where two abilities jump; the head takes its role between looks 5 and 6 (341k to 500k tokens)."""


def _write(path: Path, *, story: bool = False) -> Run:
    primary = {"semantics": "cause.all", "narrative": "state.holder"}
    rng = np.random.default_rng(1)
    with RunWriter.create(path, Manifest("both", primary=primary)) as writer:
        for tokens in np.round(np.logspace(np.log10(5e4), np.log10(5e6), 49)).astype(int).tolist():
            for stem, (level, place) in STEPS.items():
                there, noise = float(tokens > place), rng.normal(0, 0.3, 2)
                value = 0.5 + 0.45 * there + 0.05 * float(noise[0])
                for name, score, chance in (
                    ("accuracy", min(value, 1.0), 0.5),
                    ("margin", 5 * there + 0.5 * float(noise[1]), 0.0),
                ):
                    unit = "fraction" if name == "accuracy" else "nats"
                    reading = Reading(f"{stem}.{name}", score, 0.02, 500, chance, unit, level)
                    writer.reading(at(tokens), reading)
        for look, tokens in enumerate(LOOKS):
            found = table(look)
            seen = Example(("the", "key"), "otto", np.full((2, 3, 2), look / 100))
            example = seen if story and look else None
            kept = HeadTable(found.scores, found.asked, found.roles, example)
            writer.heads(at(tokens), kept)
        writer.finish("finished", at(LOOKS[-1]))
    return Run.open(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _write(tmp_path_factory.mktemp("together") / "run", story=True)


@pytest.fixture(scope="module")
def found(run: Run) -> Together:
    analysis = analyse(run)
    result = together(analysis, head_story(run, analysis))
    assert result is not None
    return result


def test_behaviour_and_heads_stand_in_order_with_what_surely_came_before(found: Together) -> None:
    stems = [one.stem for one in found.events if not one.stem.startswith("entity link.")]
    assert stems == ["cause.all", "role:entity link", "state.holder"]
    by_stem = {one.stem: one for one in found.events}
    role = by_stem["role:entity link"]
    assert (role.lo, role.hi) == (LOOKS[TAKEN - 1], LOOKS[TAKEN])
    assert by_stem["cause.all"].lo <= 2e5 <= by_stem["cause.all"].hi * 1.1
    assert by_stem["cause.all"].number in role.after
    assert role.number in by_stem["state.holder"].after
    assert role.number not in by_stem["cause.all"].after
    assert found.missing == ("geometry", "landscape")


def test_the_head_leads_the_behaviour_that_it_is_for(found: Together) -> None:
    assert len(found.lags) == 1
    sentence = found.lags[0]
    assert sentence.startswith("L1H0 entity link against tracking who holds what: −.")
    # From between 341k and 500k to 1.5M: −.56 decades between the middles, a tenth either way.
    middle = float(sentence.split(": −")[1].split(" ")[0])
    assert middle == pytest.approx(np.log10(1.5e6 / np.sqrt(LOOKS[5] * LOOKS[6])), abs=0.1)
    assert sentence.endswith("resolved")
    assert "not resolved" not in sentence


def test_runs_of_numbers_are_written_as_ranges() -> None:
    event = Event(9, "", "", "", "", True, 1.0, 1.0, 1.0, (1, 2, 3, 5, 7, 8), "")
    assert event.earlier == "1–3, 5, 7–8"


def test_the_map_carries_every_look(run: Run) -> None:
    data = json.loads(head_data(run.heads(), "tokens"))
    assert data["at"] == list(LOOKS)
    assert data["heads"] == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2"]
    role = data["roles"][0]
    assert role["name"] == "entity link"
    assert role["held"] == [[3] if look >= TAKEN or look == 3 else [] for look in range(13)]
    assert role["v"][TAKEN] == [0.1, 0.1, 0.1, 0.9, 0.1, 0.1]
    assert role["e"][TAKEN][3] == 2.5
    assert data["story"]["words"] == ["the", "key"]
    assert data["story"]["a"][0] is None
    assert data["story"]["a"][7] == [[7, 7]] * 6


def test_the_page_is_whole_without_the_map_and_says_what_is_missing(run: Run) -> None:
    page = render_report(run)
    assert 'id="together"' in page
    assert "Not measured in this run: geometry, landscape." in page
    assert '<div class="headplay" data-heads=' in page
    assert page.count("<script>") == 1


def test_behaviour_alone_is_no_view_of_both(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", Manifest("alone")) as writer:
        for tokens in LOOKS:
            reading = Reading("a.b.accuracy", 0.5, 0.02, 40, 0.5, level=Level.SYNTAX)
            writer.reading(at(tokens), reading)
    assert together(analyse(Run.open(tmp_path / "run")), None) is None
