from __future__ import annotations

import re
from dataclasses import replace

from nucleate.core import Assessment, Step, Verdict
from nucleate.store import Run
from nucleate.views.page.judging import Judgement
from nucleate.views.page.sections import analysis_of, contents, figures, parts_of, said_of
from nucleate.views.page.snapshot import snapshot_of
from nucleate.views.report import render_report
from tests.unit.views.made_heads import write_heads_run
from tests.unit.views.page.made import small_run

METRIC = "agreement.attractor.accuracy"


def test_an_old_verdict_is_never_told_of_newer_readings(tmp_path):
    """Judged at 10k tokens, before the jump at 15k: the story ends at 10k, the ladder at 30k."""
    run = Run.open(small_run(tmp_path / "a"))
    snapshot = replace(snapshot_of("a", run, "s"), status="running")
    judgement = Judgement()
    judgement.take({METRIC: Assessment(METRIC, Verdict.SMOOTH)}, None, 10_000, whole=True)
    said = said_of(snapshot, judgement)
    assert said.curves[METRIC].steps[-1].step == 10
    assert said.story[-1].endswith("had not left chance when training stood at 10k tokens.")
    shown = analysis_of(snapshot, judgement)
    assert shown.story == said.story
    assert shown.curves[METRIC].steps[-1].step == 30
    assert shown.last == Step(30, 30_000, 30e9, 30.0, 1e-3)
    judgement.take({METRIC: Assessment(METRIC, Verdict.SMOOTH)}, None, 29_000, whole=True)
    assert said_of(snapshot, judgement).curves[METRIC].steps[-1].step == 30


def test_parts_have_a_digest_of_what_they_hold_and_contents_lists_those_there(tmp_path):
    run = Run.open(small_run(tmp_path / "a"))
    snapshot = snapshot_of("a", run, "s")
    first, _ = parts_of(snapshot, Judgement(), run, 0.0)
    again, _ = parts_of(snapshot, Judgement(), run, 0.0)
    assert first == again
    assert len({part.id for part in first}) == len(first) == 17
    names = [name for name, _ in contents(first)]
    assert names == ["ladder", "watch", "loss", "curves", "events", "log", "settings", "reading"]


def test_figures(tmp_path):
    run = Run.open(small_run(tmp_path / "a", end=None))
    snapshot = replace(snapshot_of("a", run, "s"), status="running")
    assert figures(snapshot, analysis_of(snapshot, Judgement())) == [
        ("tokens", "30k"),
        ("of 30k", "100%"),
        ("loss, nats per token", "1.500"),
        ("FLOPs, modelled", "30G"),
        ("time", "30 s"),
        ("tokens per second", "1k"),
        ("readings", "30"),
    ]


def test_page_and_report_count_the_same_readings(tmp_path):
    """13 looks at two abilities and one summary of the heads: 39 readings of 3 metrics."""
    run = Run.open(write_heads_run(tmp_path / "heads"))
    snapshot = snapshot_of("heads", run, "s")
    live = dict(figures(snapshot, analysis_of(snapshot, Judgement())))
    page = " ".join(re.sub(r"<[^>]+>", " ", render_report(run)).split())
    assert live["readings"] == "39"
    assert "readings 39 " in page
    assert "metrics 3 " in page
