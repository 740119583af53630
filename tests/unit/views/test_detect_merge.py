"""Several sources as one book, and how long its analysis will take."""

from __future__ import annotations

import pytest

from nucleate.core import CurveBook, DataError
from nucleate.views.detect.merge import merged
from nucleate.views.detect.patience import expected_seconds, patiently
from tests.unit.views.detect_findings import curve, findings, step_values


def book(source: str, *runs: str, axis: str = "step") -> CurveBook:
    return CurveBook(source, axis, {run: {"m": curve("m", step_values())} for run in runs}, ("n",))


def test_one_source_stays_as_it_is():
    one = book("a.csv", "")
    assert merged([one]) is one


def test_runs_keep_their_names_where_these_differ():
    both = merged([book("x/a.csv", "s0"), book("x/b.csv", "s1")])
    assert list(both.runs) == ["s0", "s1"]
    assert (both.source, both.notes) == ("a.csv, b.csv", ("a.csv: n", "b.csv: n"))


def test_runs_are_named_by_their_file_otherwise():
    assert list(merged([book("a.csv", ""), book("b.csv", "")]).runs) == ["a", "b"]
    assert list(merged([book("a.csv", "s"), book("b.csv", "s")]).runs) == ["a/s", "b/s"]
    assert list(merged([book("x/a.csv", ""), book("y/a.csv", "")]).runs) == ["a", "a-2"]


def test_positions_must_count_the_same():
    with pytest.raises(DataError, match="counts other positions"):
        merged([book("a.csv", ""), book("b.csv", "", axis="tokens")])


def test_long_work_is_announced(capsys, monkeypatch):
    monkeypatch.setattr("nucleate.views.detect.patience.MANY", 3)
    monkeypatch.setattr("nucleate.views.detect.patience.LONG", 0.0)
    assert expected_seconds(findings().book, max_width=0.4) > 0
    assert expected_seconds(CurveBook("a", "step", {}), max_width=0.4) == 0
    assert patiently(findings().book, lambda progress: 7, max_width=0.4) == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("assessing 9 curves, about ")
