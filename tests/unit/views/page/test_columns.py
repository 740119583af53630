from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nucleate.core import Reading, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.page import columns
from nucleate.views.page.columns import ColumnReader, log_size, preview
from nucleate.views.page.logtail import last_lines
from tests.unit.views.page.made import at, small_run


def metric(name: str, value: float, **more) -> Reading:
    return Reading(name, value, 0.1, 10, 0.0, "fraction", **more)


def same_curves(run: Run, reader: ColumnReader) -> None:
    curves = run.curves()
    assert set(reader.history.readings.metrics()) == set(curves)
    for name, curve in curves.items():
        own = reader.history.readings.curve(name)
        for field in dataclasses.fields(curve):
            left, right = getattr(own, field.name), getattr(curve, field.name)
            if field.name in ("values", "se"):
                np.testing.assert_array_equal(left, right)
            elif field.name == "chance":
                np.testing.assert_equal(left, right)
            else:
                assert left == right, field.name


def test_columns_say_what_the_run_says(run_path):
    reader = ColumnReader(run_path)
    assert reader.advance(60.0)
    run = Run.open(run_path)
    same_curves(run, reader)
    assert reader.position == log_size(run_path)
    assert reader.history.events == run.events()
    assert reader.history.last == run.last


def test_what_was_done_again_replaces_what_it_repeats(tmp_path):
    """Steps 1–6, resumed from 4, then 5–8 again; step 7 is read twice: the later value holds."""
    path = tmp_path / "run"
    with RunWriter.create(path, Manifest("r")) as writer:
        for step in range(1, 7):
            writer.reading(at(step), metric("a.b.accuracy", step / 10))
        writer.reading(at(6), metric("gone.b.accuracy", 0.3))
    with RunWriter.resume(path, at(4)) as writer:
        for step in (5, 6, 7, 7, 8):
            writer.reading(at(step), metric("a.b.accuracy", 0.5 + step / 100))
        writer.reading(at(7), metric("a.b.accuracy", 0.99))
    reader = ColumnReader(path)
    reader.advance(60.0)
    curve = reader.history.readings.curve("a.b.accuracy")
    assert [step.step for step in curve.steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert curve.values == (0.1, 0.2, 0.3, 0.4, 0.55, 0.56, 0.99, 0.58)
    assert list(reader.history.readings.metrics()) == ["a.b.accuracy"]
    same_curves(Run.open(path), reader)


def test_it_reads_in_slices_and_goes_on_where_it_stopped(tmp_path):
    path = small_run(tmp_path / "run", steps=600, end=None)
    reader = ColumnReader(path)
    slices = 1
    while not reader.advance(0.0):
        slices += 1
    assert slices > 1
    assert len(reader.history.readings.curve("agreement.attractor.accuracy").steps) == 600
    with RunWriter.resume(path, at(600)) as writer:
        writer.reading(at(601), metric("agreement.attractor.accuracy", 0.9))
    assert reader.advance(60.0)
    assert len(reader.history.readings.curve("agreement.attractor.accuracy").steps) == 601


def test_a_preview_reads_samples_from_beginning_to_end(tmp_path, monkeypatch):
    path = small_run(tmp_path / "run", steps=3_000, jump=1_500)
    monkeypatch.setattr(columns, "SAMPLE", 4_096)
    found = preview(path)
    curve = found.readings.curve("agreement.attractor.accuracy")
    assert curve.steps[0].step == 1
    assert curve.steps[-1].step == 3_000
    assert 100 < len(curve.steps) < 800
    assert found.ended == "finished"
    for step, value in zip(curve.steps, curve.values, strict=True):
        assert value == (0.5 if step.step < 1_500 else 0.9)
    gaps = np.diff([step.step for step in curve.steps])
    assert gaps.max() < 3_000 / 15


def test_a_small_log_is_its_own_preview(tmp_path):
    path = small_run(tmp_path / "run", steps=12)
    curve = preview(path).readings.curve("agreement.attractor.accuracy")
    assert [step.step for step in curve.steps] == list(range(1, 13))


def test_damage_is_counted(tmp_path):
    path = small_run(tmp_path / "run")
    segment = next((path / "log").glob("*.jsonl"))
    content = bytearray(segment.read_bytes())
    content[content.index(b"reading") + 30] ^= 1
    segment.write_bytes(bytes(content))
    reader = ColumnReader(path)
    reader.advance(60.0)
    assert reader.damaged == 1
    with pytest.raises(KeyError):
        reader.history.readings.curve("nothing")


def test_the_first_step_may_lie_at_zero_tokens(tmp_path):
    path = tmp_path / "run"
    with RunWriter.create(path, Manifest("r")) as writer:
        writer.reading(Step(0, 0), metric("a.accuracy", 0.5))
        writer.reading(at(1), metric("a.accuracy", float("nan")))
    reader = ColumnReader(path)
    reader.advance(60.0)
    same_curves(Run.open(path), reader)


def test_a_preview_is_of_the_segment_that_says_most(tmp_path):
    """Neither a rank that wrote little nor an attempt that measured again stands for the run."""
    path = small_run(tmp_path / "ranks", steps=2000, end=None)
    with RunWriter.resume(path, at(2000)), RunWriter.join(path, 1) as one:
        one.readings(at(2000), [Reading("other.nats", 1.0)])
    with RunWriter.backfill(path) as writer:
        writer.readings(at(5), [Reading("late.nats", 1.0)])
    history = preview(path)
    assert history.last == at(2000)
    assert len(history.readings.curve("agreement.attractor.accuracy").steps) > 100
    assert {"other.nats", "late.nats"} <= set(history.readings.metrics())
    assert [line.kind for line in last_lines(path, most=3)] == ["readings", "start", "start"]
