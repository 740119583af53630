"""Every file format, recognised by its content whatever its name."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from nucleate.bridges.tables import read_book

STEPS = (0, 10, 100)
LOSS = (5.0, 4.0, 2.5)
RECORDS = [{"step": step, "loss": loss} for step, loss in zip(STEPS, LOSS, strict=True)]
CSV = "step,loss\n" + "".join(f"{row['step']},{row['loss']}\n" for row in RECORDS)


def check(path):
    book = read_book(path)
    curve = book.runs[""]["loss"]
    assert book.axis == "step"
    assert curve.positions == STEPS
    assert curve.values == LOSS
    return book


@pytest.mark.parametrize(
    "content",
    {
        "comma": CSV.encode(),
        "semicolon": CSV.replace(",", ";").encode(),
        "comma as decimal point": CSV.replace(",", ";").replace(".", ",").encode(),
        "tab": CSV.replace(",", "\t").encode(),
        "bar": CSV.replace(",", "|").encode(),
        "blanks": CSV.replace(",", "   ").encode(),
        "byte-order mark": b"\xef\xbb\xbf" + CSV.encode(),
        "UTF-16": CSV.encode("utf-16"),
        "Windows line ends": CSV.replace("\n", "\r\n").encode(),
        "no last line end": CSV.strip().encode(),
        "comments": ("# a run\n# of mine\n" + CSV + "# the end\n").encode(),
        "commented header": ("# " + CSV).encode(),
        "blank lines": CSV.replace("\n", "\n\n").encode(),
        "quoted": CSV.replace("step,loss", '"step","loss"').encode(),
        "pandas index": ("".join(f",{each}\n" if not n else f"{n},{each}\n"
                                 for n, each in enumerate(CSV.split()))).encode(),
        "cut off": (CSV + "1000").encode(),
        "gzip": gzip.compress(CSV.encode()),
        "JSON lines": "\n".join(map(json.dumps, RECORDS)).encode(),
        "JSON lines, cut off": ("\n".join(map(json.dumps, RECORDS)) + '\n{"step": 9').encode(),
        "JSON lines, gzip": gzip.compress("\n".join(map(json.dumps, RECORDS)).encode()),
        "JSON records": json.dumps(RECORDS).encode(),
        "JSON records, indented": json.dumps(RECORDS, indent=1).encode(),
        "JSON columns": json.dumps({"step": STEPS, "loss": LOSS}).encode(),
        "JSON wrapped": json.dumps({"name": "a", "history": RECORDS}, indent=2).encode(),
        "pandas split": json.dumps({"columns": ["step", "loss"], "index": [0, 1, 2],
                                    "data": [list(row.values()) for row in RECORDS]}).encode(),
        "pandas columns": json.dumps({"step": dict(zip("012", STEPS, strict=True)),
                                      "loss": dict(zip("012", LOSS, strict=True))}).encode(),
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
@pytest.mark.parametrize("name", ["table.csv", "table.dat"])
def test_text_formats(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content[1])
    check(path)


def test_nested_records_are_flattened(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [{"step": s, "train": {"loss": s / 2, "by": {"head": s}}, "list": [1]} for s in (1, 2)]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert list(read_book(path).runs[""]) == ["train/loss", "train/by/head"]


def test_npz_reads_one_dimensional_arrays_and_never_unpickles(tmp_path):
    path = tmp_path / "series.npz"
    np.savez(path, step=STEPS, loss=LOSS, weights=np.ones((3, 4)),
             other=np.ones(7), objects=np.array([{}, {}, {}], dtype=object))  # fmt: skip
    book = check(path)
    assert list(book.runs[""]) == ["loss"]
    assert "3 arrays of another shape were left out." in book.notes


def test_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(RECORDS)
    frame.to_parquet(tmp_path / "plain.csv")
    check(tmp_path / "plain.csv")
    frame["seed"] = pandas.Categorical(["a", "a", "a"])
    frame["deduped"], frame["texts"] = True, [["x"], ["y"], []]
    frame["none"], frame["when"] = None, pandas.Timestamp("2026-01-01")
    both = pandas.concat([frame, frame.assign(seed="b", deduped=False, loss=1.0)])
    both.to_parquet(tmp_path / "t.parquet")
    book = read_book(tmp_path / "t.parquet")
    assert list(book.runs) == ["a", "b"]
    assert book.runs["a"]["loss"].values == LOSS
    assert list(book.runs["b"]) == ["loss"]


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    import sys

    from nucleate.core import UserError

    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 20)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'nucleate\[data\]'"):
        read_book(path)


def test_a_folder_of_tables_is_a_folder_of_runs(tmp_path):
    (tmp_path / "seed1.csv").write_text(CSV)
    (tmp_path / "seed2.csv").write_text(CSV)
    (tmp_path / "items.csv").write_text("question,answer\na,b\n")
    book = read_book(tmp_path)
    assert list(book.runs) == ["seed1", "seed2"]
    assert any(note.startswith("items.csv was left out: no column") for note in book.notes)


def test_a_folder_with_one_table_is_that_table(tmp_path):
    (tmp_path / "log.csv").write_text(CSV)
    check(tmp_path)


def test_large_tables_take_seconds(tmp_path):
    from time import process_time

    path = tmp_path / "big.csv"
    rows = (
        f"m{seed},{step},{5 - step * 1e-6:.6f}\n" for seed in range(3) for step in range(50_000)
    )
    path.write_text("model,step,loss\n" + "".join(rows))
    begin = process_time()
    book = read_book(path)
    assert process_time() - begin < 5.0  # measured: 0.7 s
    assert [len(curve.values) for _, curve in book.curves()] == [50_000] * 3
