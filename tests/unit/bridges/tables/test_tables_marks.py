"""Marks of thousands and of decimals, and numbers that are too large: read right, or said."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nucleate.bridges.tables import ColumnChoice, read_book
from nucleate.bridges.tables.marks import marks_of
from nucleate.core import CurveBook, DataError


def read(path: Path, text: str) -> CurveBook:
    path.write_text(text, encoding="utf-8")
    return read_book(path, ColumnChoice())


def positions(book: CurveBook) -> list[float]:
    ((_, curve),) = book.curves()
    return [float(at) for at in curve.tokens]


def values(book: CurveBook) -> tuple[float, ...]:
    ((_, curve),) = book.curves()
    return curve.values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step;acc\n999;0,5\n1.000;0,75\n2.000;0,95\n", "a point parts thousands, a comma stands"),
        ("step\tacc\n999\t0,5\n1.000\t0,75\n2.000\t0,95\n", "a point parts thousands"),
        ("step;acc\n999;0.5\n1,000;0.75\n2,000;0.95\n", "a comma parts thousands"),
        ('step,acc\n999,0.5\n"1,000",0.75\n"2,000",0.95\n', "a comma parts thousands"),
        ("step,acc\n999,0.5\n1 000,0.75\n2 000,0.95\n", "'1 000' is one number"),
        ("step,acc\n999,0.5\n1'000,0.75\n2'000,0.95\n", '"1\'000" is one number'),
        ("step,acc\n999,0.5\n1\u202f000,0.75\n2\u202f000,0.95\n", "is one number"),
    ],
)
def test_marks_are_read_where_the_table_shows_what_they_mean(
    text: str, said: str, tmp_path: Path
) -> None:
    book = read(tmp_path / "t.csv", text)
    assert positions(book) == [999, 1000, 2000]
    assert values(book) == (0.5, 0.75, 0.95)
    assert any(said in note for note in book.notes)


def test_whole_numbers_and_decimals_of_one_column() -> None:
    rewrite, _ = marks_of([["1.234.567", "1.234,5", "-0,25", "step 1.000"]], commas=True)
    assert rewrite is not None
    assert [rewrite(text) for text in ("1.234.567", "1.234,5", "-0,25", "step 1.000")] == [
        "1234567",
        "1234.5",
        "-0.25",
        "step 1.000",
    ]


def test_a_point_further_down_parts_thousands_where_a_comma_stands_before_decimals() -> None:
    rewrite, note = marks_of([["998", "999"], ["0,5", "0,6"]], commas=True)
    assert rewrite is not None
    assert rewrite("1.000") == "1000"
    assert "thousands" not in note


@pytest.mark.parametrize("mark", [",", " "])
def test_a_list_that_names_runs_stays_one(mark: str, tmp_path: Path) -> None:
    rows = "".join(
        f'"{first}{mark}512","{k}{mark}000",0.{k}\n' for first in (128, 512) for k in range(1, 9)
    )
    book = read(tmp_path / "t.csv", "hidden,step,acc\n" + rows)
    found = {curve.metric: curve for _, curve in book.curves()}
    assert sorted(found) == [f"128{mark}512.acc", f"512{mark}512.acc"]
    assert [float(at) for at in found[f"512{mark}512.acc"].tokens] == [
        1000.0 * k for k in range(1, 9)
    ]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_powers_of_ten_with_a_decimal_comma_are_read(mark: str, tmp_path: Path) -> None:
    rows = "".join(f"{k}{mark}0,{50 - k}\n" for k in range(1, 31))
    book = read(tmp_path / "t.csv", f"step{mark}loss\n{rows}31{mark}8,2e-05\n")
    assert values(book)[-2:] == (0.2, 8.2e-05)
    assert len(values(book)) == 31


@pytest.mark.parametrize(
    ("columns", "commas"),
    [
        ([["1,000", "2,000"], ["5", "6"]], True),  # one, or a thousand?
        ([["0.123", "0.456"], ["1", "2"]], True),
        ([["0,5", "0,75"], ["1", "2"]], False),  # lists in a table parted by commas
        ([["1.2.3", "1.2.4"]], True),
        ([["0.5", "0,5"]], True),
        ([["2.31", "1.234"], ["0.5,1", "0.5,1"]], True),  # a list of two
        ([["2.315", "1.234"], ["192.168.100.200", "192.168.100.201"]], False),
        ([["2.315", "1.234"], ["0.9,0.95", "0.9,0.95"]], False),
    ],
)
def test_where_nothing_is_sure_nothing_is_changed(columns: list[list[str]], commas: bool) -> None:
    assert marks_of(columns, commas=commas) == (None, "")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("step,acc\n2026-01-01,0.5\n2026-01-02,0.6\n", "it is a date: count steps or tokens"),
        ("step,acc\n1M,0.5\n2M,0.6\n", "write '1M' out as a number"),
        ('step,acc\n"1,000",5\n"2,000",6\n', "write it without marks of thousands"),
        ("step,acc\nearly,0.5\nlate,0.6\n", "name another with --step COLUMN"),
    ],
)
def test_positions_that_are_no_numbers_are_said_with_what_would_help(
    text: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds text") as refused:
        read(tmp_path / "t.csv", text)
    assert refused.value.fix.startswith(fix)


def test_a_share_written_in_per_cent_is_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"got step, acc \('50%' …\)"):
        read(tmp_path / "t.csv", "step,acc\n1,50%\n2,60%\n")


@pytest.mark.parametrize("first", [2**63 - 60, 2**63, 2**70])
def test_positions_that_floats_cannot_tell_apart_are_refused(first: int, tmp_path: Path) -> None:
    rows = "".join(f"{first + k},{k / 60}\n" for k in range(60))
    with pytest.raises(DataError, match="too large to be told apart"):
        read(tmp_path / "t.csv", "step,acc\n" + rows)


def test_large_positions_that_stay_apart_are_read(tmp_path: Path) -> None:
    rows = "".join(f"{(k + 1) * 10**16},{k / 60}\n" for k in range(60))
    assert positions(read(tmp_path / "t.csv", "step,acc\n" + rows))[:2] == [1e16, 2e16]


def test_large_positions_of_several_metrics_are_read(tmp_path: Path) -> None:
    rows = "".join(f"{k}e17,{metric},0.{k}\n" for k in range(1, 9) for metric in ("a", "b"))
    (tmp_path / "t.csv").write_text("flops,metric,value\n" + rows)
    book = read_book(tmp_path / "t.csv", ColumnChoice(step="flops"))
    assert [len(curve.values) for _, curve in book.curves()] == [8, 8]


def test_values_too_large_to_be_subtracted_are_left_out_and_said(tmp_path: Path) -> None:
    rows = "".join(f"{k + 1},{k / 60},{-1.7e308 if k % 2 else 1e200}\n" for k in range(60))
    book = read(tmp_path / "t.csv", "step,acc,norm\n" + rows)
    assert any(note.startswith("30 values beyond ±1e+300 were left out") for note in book.notes)
    assert sorted(len(curve.values) for _, curve in book.curves()) == [30, 60]
    rows = "".join(f"{k + 1},{1e305 * k}\n" for k in range(1, 60))
    with pytest.raises(DataError, match=r"holds no values below 1e\+300; divide"):
        read(tmp_path / "t.csv", "step,acc\n" + rows)


def test_a_byte_order_mark_and_gzip_change_nothing(tmp_path: Path) -> None:
    text = "step,acc\n1e3,0.5\n2_000,0.75\n3000,0.95\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    book = read_book(tmp_path / "t.csv.gz", ColumnChoice())
    assert positions(book) == [1000, 2000, 3000]
    assert values(book) == values(read(tmp_path / "t.csv", text)) == (0.5, 0.75, 0.95)
