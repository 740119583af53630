"""Weights streamed into one module are those that transformers loads, in every usual layout."""

import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from nucleate.core import CheckpointError, Step
from nucleate.models import ModelSettings, build
from nucleate.models.series import Member, SeriesModel, find_series, open_weights


def member(folder):
    return Member(folder.name, folder, "folder", Step(1, 1))


def model_of(family, seed=0, **more):
    if family == "gpt2":
        torch.manual_seed(seed)
        return GPT2LMHeadModel(
            GPT2Config(vocab_size=97, n_positions=64, n_embd=32, n_layer=2, n_head=2)
        )
    return build(ModelSettings(family=family, size="tiny", **more), 97, seed=seed, eos_token_id=0)


def logits(model):
    ids = torch.randint(97, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.eval()(ids).logits


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("family", ["llama", "neox", "mixtral", "gpt2"])
def test_logits_are_those_of_from_pretrained(tmp_path, family, tie):
    for seed in (0, 1):
        more = {} if family == "gpt2" else {"tie_embeddings": tie}
        model_of(family, seed, **more).save_pretrained(tmp_path / str(seed))
    first, second = (open_weights(member(tmp_path / name)) for name in "01")
    series = SeriesModel(first)
    for name, weights in (("0", first), ("1", second), ("0", first)):
        own = AutoModelForCausalLM.from_pretrained(tmp_path / name)
        assert torch.equal(logits(series.load(weights)), logits(own))
    assert series.streams == (family != "mixtral")  # its experts are joined on loading


def test_names_of_base_models_and_older_versions(tmp_path):
    """GPT-2 is published without its prefix; GPT-NeoX calls its head by another name."""
    for family, prefix in (("gpt2", "transformer."), ("neox", "")):
        model = model_of(family)
        model.save_pretrained(tmp_path / family)
        path = tmp_path / family / "model.safetensors"
        names = {name.removeprefix(prefix): value for name, value in load_file(path).items()}
        save_file(names, path, metadata={"format": "pt"})
        weights = open_weights(member(tmp_path / family))
        assert ("embed_out.weight" in weights.tensors) == (family == "neox")
        series = SeriesModel(weights)
        assert series.streams
        assert torch.equal(logits(series.load(weights)), logits(model))


def test_the_module_is_never_built_again(tmp_path):
    for seed in (0, 1):
        model_of("llama", seed).save_pretrained(tmp_path / str(seed))
    first, second = (open_weights(member(tmp_path / name)) for name in "01")
    series = SeriesModel(first)
    before = series.load(first)
    places = [parameter.data_ptr() for parameter in before.parameters()]
    after = series.load(second)
    assert after is before
    assert [parameter.data_ptr() for parameter in after.parameters()] == places


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize("safe", [False, True])
def test_shards_and_torch_files(tmp_path, shards, safe):
    model = model_of("neox")
    model.save_pretrained(tmp_path / "a", max_shard_size="100KB" if shards else "1GB")
    if not safe:
        rewrite_as_torch(tmp_path / "a")
    weights = open_weights(member(tmp_path / "a"))
    assert (len(weights.files) > 1) == shards
    assert {file.suffix for file in weights.files} == {".safetensors" if safe else ".bin"}
    assert torch.equal(logits(SeriesModel(weights).load(weights)), logits(model))


def rewrite_as_torch(folder):
    """Turn safetensors into torch's own files, with an index where there was one."""
    renamed = {}
    for path in list(folder.glob("*.safetensors")):
        name = path.name.replace("model", "pytorch_model").replace(".safetensors", ".bin")
        torch.save(load_file(path), folder / name)
        renamed[path.name] = name
        path.unlink()
    index = folder / "model.safetensors.index.json"
    if index.exists():
        content = json.loads(index.read_text())
        content["weight_map"] = {key: renamed[own] for key, own in content["weight_map"].items()}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(content))
        index.unlink()


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_exactly(tmp_path, stored):
    model = model_of("llama").to(stored)
    model.save_pretrained(tmp_path / "a")
    weights = open_weights(member(tmp_path / "a"))
    loaded = SeriesModel(weights).load(weights)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.float())
    narrow = SeriesModel(weights, dtype=torch.bfloat16).load(weights)
    assert {p.dtype for p in narrow.parameters()} == {torch.bfloat16}


class Evil:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_code_in_a_torch_file_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model_of("llama").save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").unlink()
    torch.save({"x": Evil()}, tmp_path / "a" / "pytorch_model.bin", pickle_module=pickle)
    with pytest.raises(CheckpointError, match="cannot be read without running code in it"):
        open_weights(member(tmp_path / "a"))
    assert not (tmp_path / "owned").exists()


def test_weights_of_another_model_do_not_fit(tmp_path):
    model_of("llama").save_pretrained(tmp_path / "a")
    model_of("llama", layers=2).save_pretrained(tmp_path / "b")
    model_of("llama", width=32, mlp_width=168).save_pretrained(tmp_path / "c")
    series = SeriesModel(open_weights(member(tmp_path / "a")))
    with pytest.raises(CheckpointError, match="weights do not fit the series: 9 missing"):
        series.load(open_weights(member(tmp_path / "b")))
    with pytest.raises(CheckpointError, match="of another shape"):
        series.load(open_weights(member(tmp_path / "c")))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "is cut short"),
        (lambda b: b[:100], "is cut short"),
        (lambda b: b"", "is cut short"),
        (lambda b: b + b"x", "is longer than it says"),
        (lambda b: b[:8] + b"[" + b[9:], "header does not describe its bytes"),
        (lambda b: b.replace(b'"F32"', b'"F16"', 1), "header does not describe its bytes"),
        (lambda b: (2**40).to_bytes(8, "little") + b[8:], "is cut short"),
    ],
)
def test_damaged_headers(tmp_path, damage, message):
    model_of("llama").save_pretrained(tmp_path / "a")
    path = tmp_path / "a" / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message):
        open_weights(member(tmp_path / "a"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "is not JSON"),
        ("config.json", "[]", "is not an object"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "../b"}}', "names a file elsewhere"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "b"}}', "is missing"),
        ("model.safetensors.index.json", "{}", "names no shards"),
    ],
)
def test_damaged_json(tmp_path, name, content, message):
    model_of("llama").save_pretrained(tmp_path / "a")
    if name.endswith("index.json"):
        (tmp_path / "a" / "model.safetensors").unlink()
    (tmp_path / "a" / name).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        open_weights(member(tmp_path / "a"))


def test_an_unknown_architecture_is_named(tmp_path):
    model_of("llama").save_pretrained(tmp_path / "a")
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps({**config, "model_type": "nosuch"}))
    with pytest.raises(CheckpointError, match="unknown architecture"):
        SeriesModel(open_weights(member(tmp_path / "a")))


PEAK = """
import resource, sys
from nucleate.models.series import SeriesModel, find_series, open_weights
from nucleate.models.series.sketch import take_sketch
import torch
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
members = find_series(sys.argv[1]).members
warm = open_weights(find_series(sys.argv[2]).members[0])
SeriesModel(warm).load(warm)
before = peak()
series = None
for member in members:
    take_sketch(member)
    weights = open_weights(member)
    series = series or SeriesModel(weights)
    series.load(weights)
print(peak() - before)
"""


def test_a_series_takes_the_memory_of_one_checkpoint(tmp_path):
    """Two checkpoints of 100 MB each: at most 1.2 of one in memory, and two pieces of a file."""
    big = ModelSettings(layers=2, width=512, heads=4, mlp_width=2048)
    model = build(big, 17_000, seed=0)
    for step in (1, 2):
        model.save_pretrained(tmp_path / "s" / f"step{step}")
    model_of("llama").save_pretrained(tmp_path / "small")
    size = (tmp_path / "s" / "step1" / "model.safetensors").stat().st_size
    assert size > 100e6
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "s"), str(tmp_path / "small")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert int(done.stdout) < 1.2 * size + 2 * 2**24
    assert len(find_series(str(tmp_path / "s")).members) == 2
