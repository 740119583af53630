import gzip
import json

import pytest

from nucleate.core import DataError
from nucleate.corpora.text import Documents, read_documents, split_documents
from tests.unit.corpora.prose import stories

LONG = "A document of more than forty characters, number {}."


def documents(number):
    return [LONG.format(n) for n in range(number)]


def write_lines(path, texts, key="text"):
    lines = "".join(json.dumps({key: text}) + "\n" for text in texts)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines, encoding="utf-8")
    return path


def everything(found: Documents):
    return sorted((*found.train, *found.held_out))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.ndjson"])
def test_json_lines_are_read_packed_or_not(tmp_path, name):
    path = write_lines(tmp_path / name, documents(300))
    assert everything(read_documents([path])) == sorted(documents(300))


def test_another_key_is_read_when_named(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", documents(300), key="story")
    assert len(everything(read_documents([path], field="story"))) == 300


def test_plain_text_is_cut_at_blank_lines_and_short_paragraphs_are_joined(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"{n} " + "x" * 698 for n in range(400)), encoding="utf-8")
    found = everything(read_documents([path], held_out_share=0.2))
    assert len(found) == 134  # three paragraphs of about 700 characters reach 2,000
    assert sorted(len(text) < 2100 for text in found) == [False] * 133 + [True]


def test_plain_text_is_cut_at_end_of_text_marks_where_there_are_some(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n<|endoftext|>\n".join(documents(300)), encoding="utf-8")
    assert everything(read_documents([path])) == sorted(documents(300))


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = "".join(json.dumps({"text": text}) + "\n" for text in documents(300))
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert len(everything(read_documents([path]))) == 300


def test_a_folder_is_read_file_by_file(tmp_path):
    write_lines(tmp_path / "a.jsonl", documents(200))
    (tmp_path / "deep").mkdir()
    write_lines(tmp_path / "deep" / "b.jsonl.gz", documents(300))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    assert everything(read_documents([tmp_path])) == sorted(documents(300))


def test_no_held_out_document_is_trained_on_even_when_it_comes_twice(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", documents(1000) * 2)
    found = read_documents([path], held_out_share=0.1)
    assert not set(found.train) & set(found.held_out)
    assert len(found.train) + len(found.held_out) == 1000
    assert 70 <= len(found.held_out) <= 130  # binomial(1000, 0.1) within 3.2 SD


def test_what_is_held_out_does_not_depend_on_what_else_is_read():
    few, many = split_documents(documents(300)), split_documents(documents(2000))
    assert set(few.held_out) == set(many.held_out) & set(documents(300))
    assert few.key != many.key
    assert few == split_documents(documents(300))


def test_short_documents_are_left_out():
    found = split_documents([*documents(300), "too short"])
    assert "too short" not in everything(found)


MISTAKES = {
    "missing": (None, "no such file or folder"),
    "bad.jsonl": (b'{"text": "a"}\n{"text": \n', "bad.jsonl:2: line is not JSON"),
    "array.json": (b'[\n{"text": "a"}]\n', "array.json:1: line is not JSON"),
    "digits.jsonl": (b"1" * 5000 + b"\n", "digits.jsonl:1: line is not JSON"),
    "deep.jsonl": (b"[" * 100_000 + b"\n", "deep.jsonl:1: line is not JSON"),
    "key.jsonl": (b'{"story": "a"}\n', "key.jsonl:1: no text under key 'text'"),
    "number.jsonl": (b'{"text": 7}\n', "number.jsonl:1: no text under key 'text'"),
    "list.jsonl": (b"[1]\n", "list.jsonl:1: no text under key 'text'"),
    "half.jsonl": (b'{"text": "\\ud83d"}\n', "half.jsonl:1: text holds half a character"),
    "latin.txt": ("caf\u00e9 ".encode("latin-1") * 20, "is not UTF-8 text (byte 3)"),
    "latin.jsonl": (b'{"text": "caf\xe9"}\n', "is not UTF-8 text"),
    "cut.jsonl.gz": (gzip.compress(b'{"text": "a"}\n' * 500)[:-12], "cannot be read"),
    "plain.jsonl.gz": (b'{"text": "a"}\n', "cannot be read"),
    "flipped.jsonl.gz": (
        gzip.compress(b"")[:10] + b"\xff" * 40,
        "cannot be read",
    ),
    "empty.txt": (b"", "too few documents"),
    "empty.jsonl": (b"", "too few documents"),
    "x" * 300: (None, "cannot be read"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_one_line(tmp_path, name):
    content, message = MISTAKES[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_documents([path])
    line = str(caught.value)
    assert message in line
    assert "\n" not in line
    assert len(line) <= 200
    assert caught.value.exit_code == 2


def test_a_folder_without_text_is_a_mistake(tmp_path):
    with pytest.raises(DataError, match="folder holds no text"):
        read_documents([tmp_path])


class TestDatasets:
    @pytest.fixture
    def folder(self, tmp_path):
        datasets = pytest.importorskip("datasets")
        rows = {"text": [*stories(150), None], "number": list(range(151))}
        data = datasets.Dataset.from_dict(rows)
        data.save_to_disk(str(tmp_path / "one"))
        datasets.DatasetDict({"train": data}).save_to_disk(str(tmp_path / "parts"))
        return tmp_path

    @pytest.mark.parametrize("name", ["one", "parts"])
    def test_a_dataset_on_disk_is_read(self, folder, name):
        found = read_documents([f"hf:{folder / name}"], held_out_share=0.1)
        assert everything(found) == sorted(stories(150))

    @pytest.mark.parametrize(
        ("name", "field", "message"),
        [
            ("one", "story", "no column 'story'"),
            ("one", "number", "column 'number' holds no text"),
            ("parts:test", "text", "no split 'test'"),
        ],
    )
    def test_mistakes_are_one_line(self, folder, name, field, message):
        with pytest.raises(DataError, match=message) as caught:
            read_documents([f"hf:{folder}/{name}"], field=field)
        assert len(str(caught.value)) <= 200

    def test_a_folder_that_is_no_dataset_is_a_mistake(self, tmp_path):
        pytest.importorskip("datasets")
        with pytest.raises(DataError, match="cannot load this dataset"):
            read_documents([f"hf:{tmp_path}"])
