from __future__ import annotations

import math
import shutil

import pytest

from nucleate.core import Event, Reading
from nucleate.store import RunWriter
from nucleate.views.page.logtail import last_lines
from nucleate.views.page.notes import read_notes, tags_of
from nucleate.views.page.rows import log_end, run_row, tag_counts
from nucleate.views.page.shelf import Place
from tests.unit.views.page.made import at, small_run


def row_of(path):
    return run_row(Place(path.name, path))


def test_a_finished_run(tmp_path):
    row = row_of(small_run(tmp_path / "a", notes="try two #keep, #lr-sweep.", seed=4))
    assert (row.name, row.state, row.tokens, row.total, row.loss) == (
        "small",
        "finished",
        30_000,
        30_000,
        1.5,
    )
    assert row.tags == ("keep", "lr-sweep", "seed 4")
    assert row.notes == "try two #keep, #lr-sweep."


def test_states_come_from_the_log(tmp_path):
    """Gone without a word and a loss that is no number: failed; asked to end: stopped."""
    assert row_of(small_run(tmp_path / "killed", end=None)).state == "failed"
    assert row_of(small_run(tmp_path / "asked", end="interrupted")).state == "stopped"
    assert row_of(small_run(tmp_path / "nan", loss=math.nan)).state == "failed"
    path = small_run(tmp_path / "live", end=None)
    with RunWriter.resume(path, at(30)):
        assert row_of(path).state == "running"
    assert row_of(path).state == "failed"


def test_a_folder_that_cannot_be_read_says_why(tmp_path):
    path = small_run(tmp_path / "a")
    (path / "run.json").write_text("{")
    shutil.rmtree(path / "log")
    row = row_of(path)
    assert (row.state, row.problem) == ("failed", "run.json is damaged")


@pytest.mark.parametrize(("content", "wrong"), [(None, "is missing"), ("{", "is damaged")])
def test_a_run_without_run_json_is_told_from_the_copy_in_its_log(tmp_path, content, wrong):
    path = small_run(tmp_path / "a b", name="kept", seed=4)
    (path / "run.json").unlink()
    if content:
        (path / "run.json").write_text(content)
    row = row_of(path)
    assert (row.name, row.state, row.tokens, row.tags) == ("kept", "finished", 30_000, ("seed 4",))
    assert row.problem == (
        f"run.json {wrong}; the log’s copy stands in for it "
        "(nucleate doctor 'a b' --mend puts it back)"
    )


def test_a_run_whose_log_is_damaged_too_says_so(tmp_path):
    path = small_run(tmp_path / "a")
    (path / "run.json").unlink()
    for segment in (path / "log").iterdir():
        segment.write_bytes(b"{}\n")
    assert row_of(path).problem == "run.json is missing, and so is its copy"


def test_search_takes_all_words_from_names_tags_and_notes(tmp_path):
    row = row_of(small_run(tmp_path / "a", name="Big one", notes="tuned by hand #keep"))
    assert row.matches("big HAND #keep")
    assert row.matches("", "finished")
    assert not row.matches("big nothing")
    assert not row.matches("big", "running")
    assert tag_counts([row, row]) == [("keep", 2), ("seed 0", 2)]


def test_only_the_end_of_a_log_is_read(tmp_path):
    path = small_run(tmp_path / "a", steps=200)
    end = log_end(path, 600)
    assert (end.ended, end.tokens) == ("finished", 200_000)
    assert log_end(tmp_path / "none").written == 0.0


def test_notes_are_cut_and_links_are_not_followed(tmp_path):
    path = small_run(tmp_path / "a", notes="x" * 20_000)
    assert len(read_notes(path)) == 16_384
    (path / "notes.txt").unlink()
    assert read_notes(path) == ""
    (tmp_path / "secret").write_text("secret")
    (path / "notes.txt").symlink_to(tmp_path / "secret")
    assert read_notes(path) == ""


def test_tags_of_a_recipe():
    from nucleate.store import Manifest

    recipe = {
        "model": {"size": "tiny"},
        "optimizer": {"kind": "muon"},
        "corpus": {"kind": "story_world"},
    }
    found = tags_of(Manifest("a", recipe=recipe, seeds={"model": 1, "data": 2}), "#x #x a#y")
    assert found == ("x", "tiny", "muon", "story world")
    strange = {"model": 3, "optimizer": {"kind": ["a"]}, "scan": "models"}
    assert tags_of(Manifest("a", recipe=strange), "") == ("scan",)


def test_the_last_lines_come_newest_first(tmp_path):
    path = small_run(tmp_path / "a", steps=50)
    lines = last_lines(path, most=3)
    assert [(line.kind, line.step) for line in lines] == [
        ("finish", "50"),
        ("reading", "50"),
        ("loss", "50"),
    ]
    assert lines[1].text == "agreement.attractor.accuracy .900 ± .020 fraction"
    assert lines[2].text == "loss 1.500, gradient norm 1.00"
    assert len(last_lines(path, most=1000, size=2_000)) < 20


def test_lines_of_a_strange_log_are_left_out(tmp_path):
    path = small_run(tmp_path / "a", steps=3, text="t" * 2_000)
    with (path / "log" / "000001.jsonl").open("ab") as file:
        file.write(b'{"crc":"00000000","kind":"loss"}\nnot json\n')
    lines = last_lines(path)
    assert lines[0].kind == "finish"
    assert max(len(line.text) for line in lines) == 400


def test_a_finished_run_that_is_measured_again_stays_finished(tmp_path):
    path = small_run(tmp_path / "again")
    with RunWriter.backfill(path) as writer:
        writer.readings(at(3), [Reading("late.accuracy", 0.5)])
        assert row_of(path).state == "finished"
    row = row_of(path)
    assert (row.state, row.tokens, row.loss) == ("finished", 30_000, 1.5)


def test_what_stands_after_the_end_does_not_undo_it(tmp_path):
    path = small_run(tmp_path / "gap", end=None)
    with RunWriter.resume(path, at(30)) as writer:
        writer.finish("finished", at(30))
        writer.event(Event(at(30), "not recorded", "1 writes failed before this point"))
    assert row_of(path).state == "finished"


def test_readings_taken_together_are_told_in_words(tmp_path):
    path = small_run(tmp_path / "a", end=None)
    with RunWriter.resume(path, at(30)) as writer:
        writer.readings(at(31), [Reading("a.accuracy", 0.5), Reading("b.nats", math.nan)])
    assert last_lines(path, most=1)[0].text == "2 readings: a.accuracy .500, b.nats –"
