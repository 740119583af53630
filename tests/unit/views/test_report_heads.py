"""The report's section on heads: who has which role, since when, and how surely."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from nucleate.core import Reading, Verdict
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.analysis import analyse
from nucleate.views.headmap import head_map
from nucleate.views.heads import head_story
from nucleate.views.report import render_report
from tests.unit.views.made_heads import LOOKS, TAKEN, at, table, write_heads_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run.open(write_heads_run(tmp_path_factory.mktemp("heads") / "run"))


@pytest.fixture(scope="module")
def page(run):
    return render_report(run)


def section(page):
    found = re.search(r'<section id="heads">.*?</section>', page, re.S)
    return found[0] if found else ""


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_roles_are_told_with_score_ablation_and_date(run):
    story = head_story(run, analyse(run))
    assert story is not None
    (held,) = story.held
    assert (held.role, held.head, held.looks) == ("entity link", "L1H0", 13 - TAKEN + 1)
    assert (held.score, held.effect, held.unit) == (0.9, 2.5, "fraction")
    assert held.score_error == pytest.approx(1.96 * 0.02)
    assert held.effect_error == pytest.approx(1.96 * 0.1)
    assert (held.before, held.since) == (LOOKS[TAKEN - 1], LOOKS[TAKEN])
    assert held.first == LOOKS[3]
    assert held.row is not None
    assert held.row.metric == "entity link.L1H0.attention"
    assert story.vacant == ("name mover",)
    assert (story.looks, story.tokens, story.damaged) == (13, LOOKS[-1], 0)


@pytest.mark.parametrize(("at_zero", "said"), [(False, "50k 0"), (True, "0 first look")])
def test_the_first_look_is_said_of_the_first_look_alone(tmp_path, at_zero, said):
    """A look at 0 tokens without the role is the look before; one with it is the first."""
    with RunWriter.create(tmp_path / "run", Manifest("from 0")) as writer:
        for tokens, held in ((0, at_zero), (50_000, True)):
            writer.heads(at(tokens), table(TAKEN, roles=held))
            writer.reading(
                at(tokens), Reading("cause.all.accuracy", 0.5, 0.02, 40, 0.5, "fraction")
            )
    run = Run.open(tmp_path / "run")
    found = analyse(run, use_cache=False)
    told = words(section(render_report(run, found)))
    assert f" 2.50 ± .20 {said} " in told


def test_the_page_says_it(page):
    told = words(section(page))
    assert "Entity link" in told
    assert "L1H0" in told
    assert ".90 ± .04" in told
    assert "and first at 158k" in told
    assert "2.50 ± .20" in told
    assert "held by no head at the last look: name mover" in told
    assert '<a href="#heads">' in page


@pytest.mark.parametrize(
    ("verdict", "amplitude", "unexplained", "said"),
    [
        (Verdict.STEP_LIKE, 0.8, False, ""),
        (Verdict.BROAD_RISE, 0.8, False, "not sharp: no single date"),
        (Verdict.BROAD_RISE, -0.1, False, "the detector does not date its rise"),
        (Verdict.SMOOTH, math.nan, True, "the detector does not date its rise"),
        (Verdict.UNRESOLVED, math.nan, False, "not sharp: no single date"),
    ],
)
def test_what_is_not_sharp_is_said_to_be_so(run, verdict, amplitude, unexplained, said):
    held = head_story(run, analyse(run)).held[0]
    row = replace(held.row, verdict=verdict, amplitude=amplitude, unexplained=unexplained)
    assert replace(held, row=row).doubt == said


def test_no_role_is_said_plainly(tmp_path):
    run = Run.open(write_heads_run(tmp_path / "run", roles=False))
    told = words(section(render_report(run)))
    assert "No head has any of the roles that were judged." in told
    assert "entity link, name mover" in told
    assert "<table" not in section(render_report(run))


def test_a_run_without_looks_has_no_section(run_path):
    page = render_report(Run.open(run_path))
    assert not section(page)
    assert "#heads" not in page


def test_damaged_looks_are_counted(tmp_path):
    path = write_heads_run(tmp_path / "run")
    file = next((path / "heads").glob("*-step50.safetensors"))
    file.write_bytes(file.read_bytes()[:100])
    assert "1 look(s) are damaged" in words(section(render_report(Run.open(path))))


def test_summaries_of_heads_stay_out_of_the_table_of_verdicts(run):
    assert sorted(analyse(run).curves) == ["cause.all.accuracy", "fact.rare.accuracy"]
    assert "heads.entity_link.max" in run.curves()


def test_the_map_has_a_cell_for_each_head_and_frames_the_holder():
    drawn = str(head_map(table(TAKEN), "entity link"))
    assert len(re.findall(r'class="cell ', drawn)) == 6
    assert len(re.findall(r'class="held"', drawn)) == 1
    assert 'fill-opacity="0.550"' in drawn
    assert "held by L1H0" in drawn
    assert "held by none" in str(head_map(table(0), "entity link"))
