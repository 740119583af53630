"""Whatever a file holds, it ends as curves or as one line that helps."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nucleate.bridges.tables import read_book
from nucleate.core import UserError

RANDOM = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def zipped(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


CASES = {
    "empty": (b"", "is empty"),
    "blank": (b"  \n\n \n", "is empty"),
    "empty gzip": (gzip.compress(b""), "is empty"),
    "header only": (b"step,loss\n", "no rows"),
    "one column": (b"loss\n1\n2\n", "no table: one column"),
    "no header": (b"1,2\n3,4\n", "no header line"),
    "two columns of one name": (b"step,loss,loss\n1,2,3\n2,3,4\n", "two columns are called 'loss'"),
    "ragged": (b"step,loss\n" + b"1,2,3\n" * 9, "9 of 9 rows have another number of fields"),
    "random bytes": (RANDOM, "binary"),
    "NUL bytes": (b"step,loss\n1,\0\n", "binary"),
    "cut-off gzip": (gzip.compress(RANDOM * 9)[:-20], ""),
    "no gzip": (b"\x1f\x8b" + RANDOM, "damaged (gzip)"),
    "no Parquet": (b"PAR1" + RANDOM, "no readable Parquet"),
    "no database": (b"SQLite format 3\0" + RANDOM, "no readable database"),
    "no zip": (b"PK\x03\x04" + RANDOM, "damaged zip"),
    "Excel": (zipped("xl/workbook.xml"), "an Excel workbook"),
    "PyTorch weights": (zipped("model/data.pkl"), "model weights (PyTorch)"),
    "safetensors": (b"\x40\0\0\0\0\0\0\0" + b'{"w":{}}', "model weights (safetensors)"),
    "pickle": (pickle.dumps({"step": [1]}), "a pickled object"),
    "npy": (b"\x93NUMPY\x01\0", "a single NumPy array"),
    "npz of weights": (npz(w=np.ones((2, 2)), b=np.ones(3)), "no column of training steps"),
    "npz of objects": (npz(step=np.array([{}], dtype=object)), "no column of training steps"),
    "no JSON": (b'{"step": [1, 2', "no valid JSON"),
    "JSON number": (b"[1, 2, 3]", "no table of metrics"),
    "JSON text": (b'[["a", "b"]]', "no table of metrics"),
    "empty JSON list": (b"[]", "is empty"),
    "deep JSON list": (b"[" * 100_000, ""),
    "deep JSON": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, ""),
    "deep JSON lines": (b'{"step":1}\n' + (b'{"a":' * 9999 + b"1" + b"}" * 9999 + b"\n") * 9, ""),
    "unlike columns": (b'{"step": [1, 2], "loss": [1]}', "no table of metrics"),
    "JSON lines of text": (b'{"text": "a"}\n{"text": "b"}\n', "no column of training steps"),
    "mostly broken lines": (b'{"step": 1, "a": 2}\n' + b"{oops\n" * 50, "no JSON objects"),
    "huge integers": (b'{"step": 1, "a": 1' + b"0" * 5000 + b"}\n" * 3, ""),
    "YAML": (b"model: llama\nsteps: 10\n", ""),
    "HTML": (b"<!DOCTYPE html><html><body>step</body></html>", ""),
    "prose": (b"Once upon a time, there was a step.\nIt was steep.\n", "no column of training"),
    "wide": (",".join(f"c{n}" for n in range(1_000_000)).encode(), "1,000,000 columns"),
    "wide JSON": (json.dumps({f"c{n}": 1 for n in range(50_000)} | {"step": 1}).encode(), ""),
    "text steps": (b"step,loss\na,1\nb,2\nc,3\n", "column 'step' holds text"),
    "negative steps": (b"step,loss\n-1,1\n-2,2\n", "no positive numbers"),
    "infinite steps": (b"step,loss\ninf,1\ninf,2\n", ""),
    "huge steps": (b"step,loss\n1e308,1\n1e999,2\n", ""),
    "all missing": (b"step,loss\n1,nan\n2,nan\n", ""),
    "results of nothing": (b'{"results": {}, "config": {}, "versions": {}}', ""),
    "empty trainer state": (b'{"log_history": [1, 2]}', "nothing was logged"),
    "quotes that never close": (b'step,loss\n1,"2\n' + b"3,4\n" * 100, ""),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["t.csv", "trainer_state.json"])
def test_malformed_files_end_as_one_line(tmp_path, case, name):
    content, says = CASES[case]
    path = tmp_path / name
    path.write_bytes(content)
    if case == "no Parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(UserError) as caught:
        read_book(path)
    line = str(caught.value)
    assert says in line
    assert path.name in line
    assert len(line) <= 200
    assert "\n" not in line
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "files", [(), ("README.md",), ("model.safetensors", "config.json"), (".hidden.csv",)]
)
def test_folders_with_nothing_known(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="holds nothing that is known here"):
        read_book(tmp_path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        read_book(tmp_path / "none.csv")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError):
        read_book(tmp_path / "file" / "below.csv")


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"step,loss\n" + b"1" * 60_000_000, 1))
    with pytest.raises(UserError, match="too long to be a table"):
        read_book(path)


def read_or_refuse(path):
    """Read a file; anything but curves or a UserError fails the test that calls this."""
    with contextlib.suppress(UserError):
        read_book(path)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300))
def test_no_bytes_raise_anything_else(tmp_path, content):
    path = tmp_path / "any"
    for start in (b"", b"step,loss\n", b'{"step": 1, "loss": 2}\n', b'{"results": '):
        path.write_bytes(start + content)
        read_or_refuse(path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("step", "loss", "results", "data", "columns", "a")), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=_json)
def test_no_json_raises_anything_else(tmp_path, document):
    path = tmp_path / "any.json"
    for wrapped in (document, [document], {"log_history": [document]}, {"results": document,
                    "config": document}, {"step": [1, 2], "loss": [document, 1]}):  # fmt: skip
        path.write_text(json.dumps(wrapped))
        read_or_refuse(path)
