from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from nucleate.core import Assessment, Verdict
from nucleate.views.studytable import HEADER, print_study_table, study_rows, to_markdown, to_rich

METRIC = "agreement.attractor.accuracy"


def moved(analysis, factor, verdict=None):
    old = analysis.assessments[METRIC]
    new = replace(
        old,
        at=old.at * factor,
        lo=old.lo * factor,
        hi=old.hi * factor,
        onset=old.onset * factor,
        verdict=verdict or old.verdict,
    )
    return replace(analysis, assessments={**analysis.assessments, METRIC: new})


def row_of(runs):
    return next(row for row in study_rows(runs) if row.metric == METRIC)


def test_median_range_and_counts(analysis):
    row = row_of([moved(analysis, f) for f in (0.5, 1.0, 2.0)])
    old = analysis.assessments[METRIC]
    assert row.at == (old.at, old.at * 0.5, old.at * 2.0)
    assert row.interval == (old.lo * 0.5, old.hi * 2.0)
    assert row.verdicts == (("transition candidate", 3),)


def test_a_run_without_the_change_is_counted(analysis):
    flat = Assessment(METRIC, Verdict.SMOOTH, start=0.7, end=0.7)
    without = replace(analysis, assessments={**analysis.assessments, METRIC: flat})
    row = row_of([analysis, analysis, without])
    assert (row.num_changed, row.num_runs) == (2, 3)
    assert row.verdicts == (("transition candidate", 2), ("moves, no verdict", 1))
    assert "in 2/3" in row.cells()[2]


def test_markdown_and_rich(analysis):
    rows = study_rows([analysis, moved(analysis, 1.1)], only_primary=True)
    margins = sum(metric.endswith(".accuracy") for metric in analysis.primary.values())
    assert len(rows) == len(analysis.primary) + margins
    lines = to_markdown(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert {line.count("|") for line in lines} == {len(HEADER) + 1}
    assert any("state.where.accuracy" in line and "2/2 never left chance" in line for line in lines)
    console = Console(file=io.StringIO(), width=140)
    console.print(to_rich(rows))
    assert METRIC in console.file.getvalue()


def test_print_study_table(run_path, analysis):
    for markdown in (False, True):
        console = Console(file=io.StringIO(), width=80)
        print_study_table([run_path, run_path], markdown=markdown, console=console)
        text = console.file.getvalue()
        assert "transition" in text
        assert text.startswith("| level") == markdown
        if not markdown:
            assert max(len(line) for line in text.splitlines()) <= 80
            stem, _, measure = METRIC.rpartition(".")
            assert f"{stem} " in text  # no name is broken within a word
            assert f" .{measure} " in text


def test_markdown_cells_cannot_break_the_table(analysis):
    rows = [replace(study_rows([analysis])[0], metric="a|b\n<script>")]
    last = to_markdown(rows).splitlines()[-1]
    assert "a\\|b &lt;script>" in last
