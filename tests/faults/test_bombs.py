"""Small files that would become large ones: refused at once, in a line, and without the memory."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults.one_process import nucleate

SECONDS, MEGABYTES = 1.0, 512.0

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [*{b}, *{b}, *{b}, *{b}, *{b}, *{b}, *{b}, *{b}]\n"
    for b, c in zip("abcdefgh", "bcdefghi", strict=True)
)

YAML = {
    "aliases": LAUGHS.encode(),
    "merge keys": b"a: &a {x: 1}\nb:\n  <<: *a\n",
    "alias to itself": b"a: &a [*a]\n",
    "depth of lists": b"a: " + b"[" * 20_000,
    "depth of mappings": b"a: " + b"{a: " * 20_000,
    "depth by indentation": b"".join(b" " * n + b"a:\n" for n in range(600)),
    "depth of questions": b"? " * 20_000,
    "size": b"a: 1\n" * 100_000,
    "one long line": b"name: " + b"x" * 10_000_000,
    "python tag": b"a: !!python/object/apply:os.system ['exit 1']\n",
    "binary tag": b"a: !!binary " + b"A" * 4000,
    "digits": b"tokens: " + b"9" * 100_000,
    "base 60": b"tokens: " + b"1:" * 50_000 + b"1",
    "many keys": b"".join(b"k%d: 1\n" % n for n in range(20_000)),
    "tabs": b"\t" * 200_000,
    "quotes": b"a: '" + b"''" * 100_000,
    "comment": b"#" + b"x" * 250_000,
}


def gzip_bomb(begin: bytes, piece: bytes, count: int) -> bytes:
    """Pack `begin` and `count` million times `piece` without ever holding them."""
    packer = zlib.compressobj(1, wbits=31)
    out = [packer.compress(begin)]
    out += [packer.compress(piece * 1_000_000) for _ in range(count)]
    return b"".join([*out, packer.flush()])


def zip_bomb(name: str, size: int, count: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(count):
            with archive.open(f"{number}{name}", "w", force_zip64=True) as member:
                for _ in range(size // 1_000_000):
                    member.write(bytes(1_000_000))
    return out.getvalue()


def npz_with(header: bytes, body: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("step.npy", "acc.npy"):
            size = len(header).to_bytes(2, "little")
            archive.writestr(name, b"\x93NUMPY\x01\x00" + size + header + body)
    return out.getvalue()


def npz_bomb() -> bytes:
    """Two arrays of 400 million zeros in a few megabytes."""
    header = b"{'descr': '|i1', 'fortran_order': False, 'shape': (400000000,), }\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in ("step.npy", "acc.npy"):
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
                for _ in range(400):
                    member.write(bytes(1_000_000))
    return out.getvalue()


TABLES: dict[str, Callable[[], bytes]] = {
    "gzip of zeros": lambda: gzip_bomb(b"", b"\0", 600),
    "gzip of a line": lambda: gzip_bomb(b"step,acc\n", b"1", 600),
    "npz of zeros": npz_bomb,
    "npz that lies": lambda: npz_with(
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }\n"
    ),
    "npz of a negative shape": lambda: npz_with(
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"
    ),
    "npz with code for a header": lambda: npz_with(b"__import__('os').abort()\n"),
    "npz with a deep header": lambda: npz_with(b"(" * 30_000 + b"\n"),
    "zip of zeros": lambda: zip_bomb(".csv", 100_000_000),
    "zip of many": lambda: zip_bomb(".npy", 0, 20_000),
    "deep JSON list": lambda: b"[" * 1_000_000 + b"]" * 1_000_000,
    "deep JSON objects": lambda: b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000,
    "deep JSON in a table": lambda: (
        b'{"step":[1,2],"acc":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    ),
    "deep JSON line": lambda: b'{"step":1,"a":1}\n{"step":2,"a":' + b"[" * 500_000 + b"\n",
    "digits in JSON": lambda: b'[{"step":1,"a":' + b"9" * 1_000_000 + b"}]",
}


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("warm") / "t.npz"
    np.savez(path, step=np.arange(1, 8), acc=np.arange(7) / 7)
    nucleate("detect", path, "--json")
    nucleate("train", path)
    nucleate("study", path)


@pytest.mark.parametrize("command", ["train", "study"])
@pytest.mark.parametrize("name", YAML)
def test_yaml(tmp_path: Path, name: str, command: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_bytes(YAML[name])
    outcome = nucleate(command, path, "--out", tmp_path / "out")
    assert outcome.code == 2, outcome.err
    assert not outcome.wrong
    assert outcome.extra < MEGABYTES
    assert outcome.seconds < SECONDS


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(TABLES[name]())
    outcome = nucleate("detect", path)
    assert outcome.code == 2, outcome.err
    assert not outcome.wrong
    assert outcome.extra < MEGABYTES
    assert outcome.seconds < SECONDS


@pytest.mark.parametrize("command", ["show", "report", "replay", "detect"])
def test_a_manifest(tmp_path: Path, command: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(b'{"format":1,"name":' + b"[" * 1_000_000)
    outcome = nucleate(command, tmp_path / "run")
    assert outcome.code == 2, outcome.err
    assert not outcome.wrong
    assert outcome.seconds < SECONDS


def test_a_header_of_weights_that_lies(tmp_path: Path) -> None:
    folder = tmp_path / "step1"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    huge = (2**62).to_bytes(8, "little") + b'{"w":{}}'
    shape = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    lying = len(shape).to_bytes(8, "little") + shape.encode()
    for content in (huge, lying, b"[" * 8 + b"[" * 100_000):
        (folder / "model.safetensors").write_bytes(content)
        outcome = nucleate("scan", tmp_path, "--out", tmp_path / "out", "--suite", "story")
        assert outcome.code == 2, outcome.err
        assert not outcome.wrong
        assert outcome.extra < MEGABYTES
