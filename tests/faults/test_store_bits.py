"""Single bits flipped anywhere in a run folder: each is noticed, and the rest reads."""

import random

import numpy as np
import pytest
from typer.testing import CliRunner

from nucleate.cli import app
from nucleate.core import Reading, RunFolderError, Step
from nucleate.core.heads import HeadScores, HeadTable
from nucleate.models.integrity import write_manifest
from nucleate.store import Manifest, Run, RunWriter
from nucleate.store.doctor import examine, mend

FLIPS = 1000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run"
    with RunWriter.create(path, Manifest("bits", {"tokens": 9}, primary={"syntax": "a"})) as writer:
        for step in range(1, 5):
            at = Step(step, step * 1024)
            writer.loss(at, step / 7, 1.0)
            writer.reading(at, Reading("lone.nats", step / 3, items=(0.5,)))
            writer.readings(at, [Reading("a.nats", 1.0, items=(1.0,) * 3), Reading("b.nats", 2.0)])
        values = np.ones((1, 2))
        writer.heads(at, HeadTable({"a": HeadScores("a", values, values, 0.0, 1)}))
        (path / "tokenizer").mkdir()
        (path / "tokenizer" / "tokenizer.json").write_text('{"model": 1}')
        writer.vouch("tokenizer/tokenizer.json")
        folder = writer.checkpoints / "step4"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(bytes(range(200)))
        write_manifest(folder, at, "llama", {"torch": "2"})
        writer.finish("finished", at)
    return path


def files_of(path):
    return sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)


def test_a_thousand_flipped_bits_are_all_noticed(path, capsys):
    assert examine(path).whole
    content = {file: file.read_bytes() for file in files_of(path)}
    assert {file.parent.name for file in content} == {
        *("run", "log", "items", "heads", "tokenizer", "step4")
    }
    values = {name: curve.values for name, curve in Run.open(path).curves().items()}
    places = [(file, at) for file, whole in content.items() for at in range(len(whole))]
    generator = random.Random(0)
    noticed, read, hit = 0, 0, {}
    for file, at in generator.sample(places, FLIPS):
        whole = content[file]
        file.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << generator.randrange(8)]) + whole[at + 1 :]
        )
        noticed += not examine(path).whole
        found = {name: curve.values for name, curve in Run.open(path).curves().items()}
        left = sum(len(curve) for curve in found.values())
        read += left >= 12 - 3 and all(set(found[name]) <= set(values[name]) for name in found)
        hit[file.parent.name] = hit.get(file.parent.name, 0) + 1
        file.write_bytes(whole)
    with capsys.disabled():
        print(
            f"\n{FLIPS:,} flipped bits ({hit}): {noticed:,} noticed, the rest read {read:,} times"
        )
    assert (noticed, read) == (FLIPS, FLIPS)
    assert examine(path).whole


GONE = "is missing"
HARM = {
    "run.json": ("run.json", "missing", GONE),
    "log/000001.jsonl": ("log/000001.jsonl", "damaged", "1 of 21 records"),
    "items/attempt1-step3.safetensors": ("items/attempt1-step3.safetensors", "missing", GONE),
    "heads/attempt1-step4.safetensors": ("heads/attempt1-step4.safetensors", "missing", GONE),
    "tokenizer/tokenizer.json": ("tokenizer/tokenizer.json", "missing", GONE),
    "checkpoints/step4/model.safetensors": ("checkpoints/step4", "missing", "model.safetensors is"),
    "checkpoints/step4/manifest.json": ("checkpoints/step4", "missing", "has no manifest.json"),
}


@pytest.mark.parametrize("name", HARM)
def test_doctor_names_what_is_not_whole(path, name):
    part, state, text = HARM[name]
    if name.startswith("log"):
        lines = (path / name).read_bytes().split(b"\n")
        lines[2] = lines[2][:-1] + b"!"
        (path / name).write_bytes(b"\n".join(lines))
    else:
        (path / name).unlink()
    (bad,) = (finding for finding in examine(path).findings if finding.bad)
    assert (bad.part, bad.state) == (part, state)
    assert bad.text.startswith(text)
    assert bad.fix
    shown = CliRunner().invoke(app, ["doctor", str(path)])
    assert shown.exit_code == 1
    assert f"✗ {part}: {text}" in shown.output


def test_mend_puts_run_json_back_and_touches_nothing_else(path):
    before = {file: file.read_bytes() for file in files_of(path)}
    assert mend(path) == []
    (path / "run.json").write_text("{}")
    assert Run.open(path).manifest.name == "bits"
    assert Run.open(path).damaged == 1
    with pytest.raises(RunFolderError, match=r"run\.json is damaged"):
        RunWriter.resume(path, Step(4, 4096))
    assert CliRunner().invoke(app, ["doctor", str(path), "--mend"]).exit_code == 0
    assert (path / "run.json.damaged").read_text() == "{}"
    (path / "run.json.damaged").unlink()
    assert {file: file.read_bytes() for file in files_of(path)} == before


def test_doctor_changes_nothing(path):
    (path / "run.json").write_text("{}")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files_of(path)}
    examine(path)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files_of(path)} == before
