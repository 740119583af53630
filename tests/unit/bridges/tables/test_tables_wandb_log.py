"""The local log of Weights & Biases, written here as version 0.31 and older ones write it."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from nucleate.bridges.tables import read_book
from nucleate.core import DataError

BLOCK = 32_768


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def field(number, value):
    """A field of a message: bytes, text or a message; numbers as integers or doubles."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def item(name, value, *, typed):
    keys = b"".join(field(2, part) for part in name.split("/")) if "/" in name else field(1, name)
    if not typed:
        return field(1, keys + field(16, json.dumps(value)))
    if isinstance(value, int):
        return field(1, keys + field(5, value << 1 if value >= 0 else (-value << 1) - 1))
    return field(1, keys + field(6, value) if isinstance(value, float) else keys + field(7, value))


def history(step, row, *, typed=True):
    items = b"".join(item(name, value, typed=typed) for name, value in row.items())
    return field(1, step + 1) + field(2, items + field(2, field(1, step)))


def run(name, identity="abc123"):
    return field(17, field(1, identity) + field(3, "toy") + field(8, name))


def framed(records):
    """Records in blocks of 32 KiB, divided where a block ends."""
    out = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    for record in records:
        first = True
        while True:
            left = BLOCK - len(out) % BLOCK
            if left < 7:
                out += b"\0" * left
                left = BLOCK
            part, record = record[: left - 7], record[left - 7 :]
            kind = 1 if first and not record else 2 if first else 3 if record else 4
            check = zlib.crc32(part, zlib.crc32(bytes([kind])))
            out += struct.pack("<IHB", check, len(part), kind) + part
            first = False
            if not record:
                break
    return out


def log(num, *, name="swift-fox-1", typed=True):
    rows = [
        history(
            step, {"loss": 5.0 - step / num, "acc": -step, "eval/x": 0.5, "note": "text"},
            typed=typed,
        )
        for step in range(num)
    ]  # fmt: skip
    return framed([field(1, 0) + field(200, b"\0" * 9), run(name), *rows])


@pytest.mark.parametrize("typed", [True, False])
def test_rows_across_blocks(tmp_path, typed):
    path = tmp_path / "run-abc123.wandb"
    path.write_bytes(log(800, typed=typed))
    assert path.stat().st_size > BLOCK
    book = read_book(path)
    curves = book.runs[""]
    assert book.axis == "step"
    assert set(curves) == {"loss", "acc", "eval.x"}
    assert curves["loss"].values == tuple(5.0 - step / 800 for step in range(800))
    assert curves["acc"].values[3] == -3
    assert curves["acc"].positions == tuple(map(float, range(800)))


def test_a_folder_of_runs_and_its_link_to_the_latest(tmp_path):
    for number in (1, 2):
        folder = tmp_path / "wandb" / f"offline-run-2026010{number}_00-id{number}"
        folder.mkdir(parents=True)
        (folder / f"run-id{number}.wandb").write_bytes(log(9, name=f"fox-{number}"))
    (tmp_path / "wandb" / "latest-run").symlink_to(folder)
    for place in (tmp_path, tmp_path / "wandb"):
        assert list(read_book(place).runs) == ["fox-1", "fox-2"]
    assert len(read_book(folder).runs[""]["loss"].values) == 9


def test_a_run_without_a_name_is_called_by_its_file(tmp_path):
    for number in (1, 2):
        rows = [history(step, {"loss": 1.0 + step + number}) for step in range(4)]
        (tmp_path / f"run-x{number}.wandb").write_bytes(framed(rows))
    assert list(read_book(tmp_path).runs) == ["x1", "x2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-5], "cut off"),
        (lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:], "damaged record"),
        (lambda data: data + b"\0" * 64, "empty record"),
        (lambda data: data + framed([b"\xff" * 20])[7:], "malformed record"),
    ],
)
def test_a_damaged_end_leaves_what_came_before(tmp_path, change, words):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(change(log(20)))
    book = read_book(path)
    assert len(book.runs[""]["loss"].values) >= 19
    assert any(words in note for note in book.notes)


@pytest.mark.parametrize("data", [b":W&B\xe1\xbe\0", framed([run("empty")])])
def test_nothing_logged_yet(tmp_path, data):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(data)
    with pytest.raises(DataError, match="no metrics were logged yet"):
        read_book(path)
