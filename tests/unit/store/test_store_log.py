"""The log: strict JSON lines that know their own checksum, written at once and read as found."""

import json
import math
import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.core import RunFolderError
from nucleate.store import LogReader, LogWriter, record

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def refuse_constant(text):
    raise AssertionError(f"not strict JSON: {text}")


@settings(deadline=None, database=None)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_data_makes_one_strict_ascii_line_that_verifies(data):
    line = record.encode("thing", 1.5, data)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.isascii()
    fields = json.loads(line, parse_constant=refuse_constant)
    assert list(fields) == ["crc", "kind", "time", "data"]
    assert record.verified(line[:-1])


def test_checksum_covers_the_exact_bytes_after_it():
    line = record.encode("loss", 0.0, {"loss": 1.25})
    start = len(b'{"crc":"00000000",')
    assert json.loads(line)["crc"] == f"{zlib.crc32(line[start:-1]):08x}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, 5e-324, -0.0, 3])
def test_numbers_that_json_lacks_come_back(value):
    found = record.decode(record.encode("x", 0.0, {"a": {"b": [value]}})[:-1], 1)
    back = record.number(found.data["a"]["b"][0])
    assert repr(back) == repr(float(value))


def test_segments_are_read_in_order_and_once(tmp_path):
    reader = LogReader(tmp_path)
    assert list(reader.read()) == []
    first = LogWriter(tmp_path)
    first.append("a", {"i": 1})
    assert [(found.kind, found.segment) for found in reader.read()] == [("a", 1)]
    first.append("b", {})
    first.close()
    first.close()
    second = LogWriter(tmp_path)
    second.append("c", {})
    assert [(found.kind, found.segment) for found in reader.read()] == [("b", 1), ("c", 2)]
    assert list(reader.read()) == []
    assert second.path.name == "000002.jsonl"
    second.close()
    (tmp_path / "notes.txt").write_text("not a segment")
    (tmp_path / "copy.jsonl").write_text("not a segment either")
    assert len(list(LogReader(tmp_path).read())) == 3


def test_tenth_million_segment_still_follows_the_ninth(tmp_path):
    for number in (999_999, 1_000_000):
        line = record.encode("x", 0.0, {"i": number})
        (tmp_path / f"{number:06d}.jsonl").write_bytes(line)
    assert [found.data["i"] for found in LogReader(tmp_path).read()] == [999_999, 1_000_000]


def test_writing_to_a_closed_log_is_one_line(tmp_path):
    writer = LogWriter(tmp_path)
    writer.close()
    with pytest.raises(RunFolderError, match="cannot be written") as caught:
        writer.append("x", {})
    assert caught.value.exit_code == 2


def test_a_record_after_a_torn_one_stands_on_its_own_line(tmp_path, monkeypatch):
    writer = LogWriter(tmp_path)
    write = os.write
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", lambda file, line: write(file, line[:20]))
        with pytest.raises(RunFolderError, match="cut short; free disk space"):
            writer.append("lost", {})
    writer.append("kept", {})
    reader = LogReader(tmp_path)
    assert [found.kind for found in reader.read()] == ["kept"]
    assert reader.damaged == 1
    writer.close()
