from __future__ import annotations

import json
import shutil

from nucleate.core import Assessment, Curve, Level, Step, Verdict
from nucleate.store import Run
from nucleate.views.analysis import CACHE, analyse, fingerprint, primary_metrics
from nucleate.views.rows import grouped, overall, verdict_rows


def test_the_synthetic_run_is_judged_as_it_was_made(analysis):
    verdicts = {metric: found.verdict for metric, found in analysis.assessments.items()}
    assert verdicts["agreement.attractor.accuracy"] is Verdict.TRANSITION_CANDIDATE
    assert verdicts["cause.all.accuracy"] is Verdict.BROAD_RISE
    assert verdicts["state.where.accuracy"] is Verdict.SMOOTH
    found = analysis.assessments["agreement.attractor.accuracy"]
    assert found.lo < 6.1e5 < found.hi
    assert analysis.primary[Level.NARRATIVE] == "state.where.accuracy"
    assert analysis.claims


def test_the_cache_gives_the_same_analysis(run_path, analysis):
    assert (run_path / CACHE).exists()
    # Compared as text, because NaN equals nothing.
    assert repr(analyse(Run.open(run_path))) == repr(analysis)


def test_a_cache_of_other_readings_or_a_damaged_one_is_not_believed(
    run_path, analysis, tmp_path, monkeypatch
):
    copy = tmp_path / "copy"
    shutil.copytree(run_path, copy)
    content = json.loads((copy / CACHE).read_text())
    calls = []

    def assess(curves):
        calls.append(len(curves))
        return dict(analysis.assessments)

    monkeypatch.setattr("nucleate.detect.assess_curves", assess)
    analyse(Run.open(copy))
    assert not calls
    odd = {"agreement.simple.accuracy": {"metric": "x", "verdict": "marvellous"}}
    for broken in (
        "",
        "[1]",
        "{",
        json.dumps({**content, "readings": "other"}),
        json.dumps({**content, "assessments": odd}),
    ):
        (copy / CACHE).write_text(broken)
        analyse(Run.open(copy))
    assert len(calls) == 5
    assert json.loads((copy / CACHE).read_text())["readings"] == content["readings"]


def test_fingerprint_follows_the_values(analysis):
    fewer = dict(list(analysis.curves.items())[1:])
    assert fingerprint(fewer) != fingerprint(analysis.curves)


def test_a_changed_detector_judges_again(analysis, monkeypatch):
    before = fingerprint(analysis.curves)
    monkeypatch.setattr("nucleate.views.analysis.detector", lambda: "another")
    assert fingerprint(analysis.curves) != before


def test_primary_metrics(analysis):
    by_stem = primary_metrics(analysis.curves, {"syntax": "agreement.simple"})
    assert by_stem == {Level.SYNTAX: "agreement.simple.accuracy"}
    by_name = primary_metrics(analysis.curves, {"syntax": "agreement.relative.accuracy"})
    assert by_name == {Level.SYNTAX: "agreement.relative.accuracy"}
    found = primary_metrics(analysis.curves, {"syntax": "missing"})
    assert found[Level.COOCCURRENCE] == "ngram.bigram.kl"
    assert list(found) == sorted(found, key=list(Level).index)


def test_a_late_rise_is_neither_at_chance_nor_unchanged():
    steps = tuple(Step(k, 1000 * 2**k) for k in range(14))
    metric = "fact.rare.accuracy"
    smooth = Assessment(metric, Verdict.SMOOTH, start=0.1, end=0.1)

    def row(values):
        curve = Curve(metric, Level.KNOWLEDGE, "fraction", 0.1, steps, values, (0.04,) * 14)
        return overall(smooth, curve)

    assert row((0.1,) * 12 + (0.14, 0.08)).says == "never left chance"
    assert row((0.1,) * 12 + (0.38, 0.53)).says == "moves, no verdict"
    assert row((0.2,) * 14).says == "no change shown"


def test_rows_are_sorted_and_say_what_is_not_sharp(analysis):
    rows = verdict_rows(analysis)
    assert [row.level_index for row in rows] == sorted(row.level_index for row in rows)
    says = {row.metric: row.says for row in rows}
    assert says["state.where.accuracy"] == "never left chance"
    assert says["ngram.bigram.kl"] == "broad fall"
    groups = dict(grouped(rows))
    assert groups["never left chance"] == ["state.holder", "state.where"]
    sharp = [row for row in rows if row.sharp]
    assert sharp
    assert all(row.p is not None and row.q is not None for row in sharp)
