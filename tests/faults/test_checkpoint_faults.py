"""Checkpoints under attack: everything that is not exactly what was saved is refused in a line."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch

from nucleate.core import CheckpointError, Step
from nucleate.models import (
    ModelSettings,
    build,
    find_checkpoints,
    integrity,
    load_checkpoint,
    save_checkpoint,
    verify_checkpoint,
)

SETTINGS = ModelSettings(layers=1, width=8, heads=2, mlp_width=8, context=8)
SAVER = """
import os, sys
from nucleate.core import Step
from nucleate.models import ModelSettings, build, save_checkpoint
model = build(ModelSettings(layers=1, width=8, heads=2, mlp_width=8, context=8), 11, seed=0)
step = 0
while True:
    step += 1
    save_checkpoint(f"{sys.argv[1]}/step{step % 5}", model, step=Step(step, step), replace=True)
    os.write(1, b"%d\\n" % step)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "step1"
    model = build(SETTINGS, 11, seed=0)
    return save_checkpoint(folder, model, step=Step(1, 8), extra_files={"state.json": {"a": 1}})


@pytest.fixture
def checkpoint(original, tmp_path):
    return shutil.copytree(original, tmp_path / "step1")


def refusal(action, *arguments):
    with pytest.raises(CheckpointError) as caught:
        action(*arguments)
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in text
    assert len(text) <= 200
    return text


def reseal(folder):
    """Write a fitting manifest over altered files: only what the files say is wrong then."""
    (folder / "manifest.json").unlink()
    integrity.write_manifest(folder, Step(1, 8), "llama", {})


def remove(name):
    return lambda folder: (folder / name).unlink()


def edit_config(**changes):
    def edit(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in config.items() if value != "-"}))
        reseal(folder)

    return edit


def edit_weights(change):
    def edit(folder):
        path = folder / "model.safetensors"
        tensors = safetensors.torch.load(path.read_bytes())
        change(tensors)
        safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
        reseal(folder)

    return edit


def cut(name, keep, *, sealed=False):
    def edit(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[:keep])
        if sealed:
            reseal(folder)

    return edit


def append(name):
    def edit(folder):
        with (folder / name).open("ab") as file:
            file.write(b" ")

    return edit


def newer(folder):
    content = json.loads((folder / "manifest.json").read_text())
    del content["checksum"]
    body = json.dumps(content | {"format": 9}).removeprefix("{").encode()
    (folder / "manifest.json").write_bytes(integrity._first_line(body) + body)


NORM, HEAD = "model.norm.weight", "lm_head.weight"
FAULTS = {
    "no folder": (shutil.rmtree, "no such checkpoint"),
    "no manifest": (remove("manifest.json"), "the save was cut short"),
    "no weights": (remove("model.safetensors"), "model.safetensors: is missing"),
    "no extra file": (remove("state.json"), "state.json: is missing"),
    "cut weights": (cut("model.safetensors", -1), "is cut short"),
    "empty weights": (cut("model.safetensors", 0), "is cut short"),
    "cut manifest": (cut("manifest.json", -1), "has been altered"),
    "grown weights": (append("model.safetensors"), "has grown"),
    "grown manifest": (append("manifest.json"), "has been altered"),
    "added file": (lambda folder: (folder / "adapter_config.json").touch(), "not saved with it"),
    "newer format": (newer, "newer nucleate"),
}
MISFITS = {
    "unknown architecture": (edit_config(model_type="rnn9000"), "unknown architecture"),
    "no architecture": (edit_config(model_type="-"), "names no architecture"),
    "foreign code": (edit_config(model_type="x", auto_map={"AutoConfig": "a.B"}), "unknown arch"),
    "config is a list": (cut("config.json", 0, sealed=True), "names no architecture"),
    "wider config": (edit_config(hidden_size=16), "weights do not fit the config"),
    "deeper config": (edit_config(num_hidden_layers=2), "weights do not fit the config"),
    "nonsense config": (edit_config(num_attention_heads="four"), "cannot be opened"),
    "missing tensor": (edit_weights(lambda t: t.pop(NORM)), "1 missing"),
    "surplus tensor": (edit_weights(lambda t: t.update(odd=torch.ones(2))), "1 unexpected"),
    "other shape": (edit_weights(lambda t: t.update({HEAD: torch.ones(5, 8)})), "1 mismatched"),
    "weights cut before sealing": (cut("model.safetensors", 900, sealed=True), "cannot be opened"),
    "weights no safetensors": (cut("model.safetensors", 3, sealed=True), "cannot be opened"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_whole_is_refused(checkpoint, fault):
    inflict, message = FAULTS[fault]
    inflict(checkpoint)
    assert message in refusal(verify_checkpoint, checkpoint)
    assert message in refusal(load_checkpoint, checkpoint)


@pytest.mark.parametrize("fault", MISFITS)
def test_what_does_not_fit_is_refused(checkpoint, fault, capfd):
    inflict, message = MISFITS[fault]
    inflict(checkpoint)
    verify_checkpoint(checkpoint)
    random.seed(0), torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    assert message in refusal(load_checkpoint, checkpoint)
    assert torch.equal(torch.rand(2), expected)
    assert capfd.readouterr() == ("", "")


def test_every_flipped_byte_is_noticed(checkpoint):
    generator = random.Random(0)
    for path in sorted(checkpoint.iterdir()):
        content = path.read_bytes()
        positions = range(len(content))
        if len(content) > 2000:  # the header and a part of the weights
            positions = sorted({*range(64), *generator.sample(positions, 400)})
        with path.open("r+b", buffering=0) as file:
            for position in positions:
                flipped = content[position] ^ 1 << generator.randrange(8)
                os.pwrite(file.fileno(), bytes([flipped]), position)
                assert "has been altered" in refusal(verify_checkpoint, checkpoint)
                os.pwrite(file.fileno(), content[position : position + 1], position)
    verify_checkpoint(checkpoint)


@pytest.mark.parametrize("limit", [100, 1500, 5000])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, original, limit):
    """The size limit of a process stands in for a full disk: three files fail in turn."""
    resource = pytest.importorskip("resource")
    model = build(SETTINGS, 11, seed=0)
    assert (original / "config.json").stat().st_size < 1500 < 5000
    assert (original / "model.safetensors").stat().st_size < 5000
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    extra = {"state.txt": bytes(6000)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
    try:
        text = refusal(
            lambda: save_checkpoint(tmp_path / "s", model, step=Step(1, 8), extra_files=extra)
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert "cannot be written" in text
    assert list(tmp_path.iterdir()) == []


def test_kill_while_saving_leaves_only_whole_checkpoints(tmp_path):
    command = [sys.executable, "-c", SAVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for _ in range(7):
            process.stdout.readline()
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.read()
    found = find_checkpoints(tmp_path)
    assert len(found) >= 4
    for step, folder in found:
        assert verify_checkpoint(folder).step == step
