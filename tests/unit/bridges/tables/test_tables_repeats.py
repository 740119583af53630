"""Numbers given twice are never averaged without a word."""

from __future__ import annotations

import pytest

from nucleate.bridges.tables import ColumnChoice, read_book
from nucleate.core import UserError


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_exact_copies_are_kept_once(tmp_path):
    path = write(tmp_path / "t.csv", "step,acc", [(1, 0.1), (1, 0.1), (2, 0.2), (2, 0.2)])
    book = read_book(path)
    assert book.runs[""]["acc"].values == (0.1, 0.2)
    assert any(note.startswith("2 values that repeat others exactly") for note in book.notes)


def test_several_values_at_a_step_are_a_question_that_names_the_columns(tmp_path):
    rows = [
        (seed, chip, step, seed + step) for seed in (1, 2, 3) for chip in "x" for step in (0, 9)
    ]
    path = write(tmp_path / "t.csv", "attempt,chip,step,acc", rows)
    with pytest.raises(UserError) as caught:
        read_book(path, ColumnChoice(value=("acc",)))
    assert "rows repeat: 3 values of 'acc' at step 0" in str(caught.value)
    assert "--run COLUMN: attempt" in str(caught.value)
    told = read_book(path, ColumnChoice(value=("acc",), run=("attempt",)))
    assert list(told.runs) == ["attempt=1", "attempt=2", "attempt=3"]


def test_without_a_column_that_helps_the_question_says_so(tmp_path):
    path = write(tmp_path / "t.csv", "step,acc", [(0, 1), (0, 2), (5, 3), (5, 4)])
    with pytest.raises(UserError, match="add a column that tells the runs apart"):
        read_book(path)


def test_seeds_below_each_other_are_no_restart(tmp_path):
    rows = [(step, seed + step) for seed in (1, 2) for step in range(0, 100, 10)]
    with pytest.raises(UserError, match="rows repeat"):
        read_book(write(tmp_path / "t.csv", "step,acc", rows))


def test_a_restart_replaces_what_it_did_again(tmp_path):
    first = [(step, 1.0) for step in range(0, 60, 10)]
    second = [(step, 2.0) for step in range(40, 100, 10)]
    book = read_book(write(tmp_path / "t.csv", "step,loss", first + second))
    assert book.runs[""]["loss"].values == (1.0,) * 4 + (2.0,) * 6
    assert any("2 readings were replaced" in note for note in book.notes)


def test_runs_of_one_model_over_several_learning_rates_ask_for_the_rate(tmp_path):
    rows = [(lr, step, lr * step) for lr in (0.1, 0.2) for step in (1, 2, 3, 4)]
    path = write(tmp_path / "t.csv", "lr,step,loss", rows)
    with pytest.raises(UserError, match="--run COLUMN: lr"):
        read_book(path)
    assert list(read_book(path, ColumnChoice(run=("lr",))).runs) == ["lr=0.1", "lr=0.2"]
