import json
from collections import Counter
from pathlib import Path

import pytest

from nucleate.core import DataError
from nucleate.corpora.blimp import find_blimp, find_data_folder, read_blimp

FIELDS = {"agreement": "morphology", "islands": "syntax"}


def record(paradigm, number):
    return {
        "sentence_good": f"The {number} dogs run.",
        "sentence_bad": f"The {number} dogs runs.",
        "field": FIELDS[paradigm],
        "linguistics_term": paradigm,
        "UID": paradigm,
        "pairID": str(number),
    }


@pytest.fixture
def lines(tmp_path):
    for paradigm in FIELDS:
        text = "".join(json.dumps(record(paradigm, n)) + "\n" for n in range(30))
        (tmp_path / f"{paradigm}.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def table(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [record(paradigm, n) for paradigm in FIELDS for n in range(30)]
    names = {"UID": "paradigm", "sentence_good": "good", "sentence_bad": "bad", "field": "field"}
    columns = {ours: [row[theirs] for row in rows] for theirs, ours in names.items()}
    parquet.write_table(pyarrow.table(columns), tmp_path / "blimp.parquet")
    return tmp_path


def test_both_layouts_hold_the_same_pairs(tmp_path, lines, request):
    from_lines = read_blimp(lines)
    for file in lines.glob("*.jsonl"):
        file.unlink()
    assert read_blimp(request.getfixturevalue("table")) == from_lines
    assert len(from_lines) == 60
    assert (from_lines[0].good, from_lines[0].bad) == ("The 0 dogs run.", "The 0 dogs runs.")


def test_the_condition_is_the_paradigm_or_what_was_asked(lines):
    assert Counter(pair.condition for pair in read_blimp(lines)) == dict.fromkeys(FIELDS, 30)
    by_field = Counter(pair.condition for pair in read_blimp(lines, by="field"))
    assert by_field == {"morphology": 30, "syntax": 30}


def test_a_choice_is_seeded_and_equal_for_every_paradigm(lines):
    chosen = read_blimp(lines, per_paradigm=7)
    assert Counter(pair.condition for pair in chosen) == dict.fromkeys(FIELDS, 7)
    assert chosen == read_blimp(lines, per_paradigm=7)
    assert chosen != read_blimp(lines, per_paradigm=7, seed=1)
    assert len(read_blimp(lines, per_paradigm=999)) == 60


def good_line():
    return json.dumps(record("islands", 0)).encode()


MISTAKES = {
    "bad.jsonl": (good_line() + b"\n{oops\n", "bad.jsonl:2: line is not JSON"),
    "key.jsonl": (b'{"UID": "a", "sentence_good": "b"}\n', "key.jsonl:1: no key 'sentence_bad'"),
    "list.jsonl": (b"[1]\n", "list.jsonl:1: no key 'UID'"),
    "number.jsonl": (
        good_line().replace(b'"The 0 dogs run."', b"7") + b"\n",
        "number.jsonl:1: pair is no text",
    ),
    "latin.jsonl": (b'{"UID": "caf\xe9"}\n', "is not UTF-8 text"),
    "empty.jsonl": (b"", "holds no pair"),
    "broken.parquet": (b"PAR1 nothing", "cannot be read"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_one_line(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    content, message = MISTAKES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_blimp(tmp_path)
    line = str(caught.value)
    assert message in line
    assert "\n" not in line
    assert len(line) <= 200
    assert caught.value.exit_code == 2


def test_a_table_without_a_column_says_which(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"paradigm": ["a"], "good": ["b"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column 'bad'"):
        read_blimp(tmp_path)


def test_no_folder_and_an_empty_folder_are_mistakes(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_blimp(tmp_path / "nowhere")
    with pytest.raises(DataError, match="folder holds no minimal pairs"):
        read_blimp(tmp_path)


class TestDataFolder:
    def test_the_variable_comes_first(self, tmp_path, monkeypatch):
        monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path))
        assert find_data_folder() == tmp_path
        assert find_blimp() is None
        (tmp_path / "blimp").mkdir()
        (tmp_path / "blimp" / "a.jsonl").write_bytes(good_line())
        assert find_blimp() == tmp_path / "blimp"

    def test_a_variable_that_names_nothing_is_a_mistake(self, tmp_path, monkeypatch):
        monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "nowhere"))
        with pytest.raises(DataError, match="NUCLEATE_DATA: is no folder"):
            find_data_folder()

    def test_without_it_the_neighbour_or_nothing(self, tmp_path, monkeypatch):
        monkeypatch.delenv("NUCLEATE_DATA", raising=False)
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        assert find_data_folder() is None
        (tmp_path / "shared" / "data").mkdir(parents=True)
        assert find_data_folder() == Path("../shared/data")
