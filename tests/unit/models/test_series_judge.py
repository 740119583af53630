"""Integrity: every exchange and copy on a real path of weights is named, and nothing else."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nucleate.core import CheckpointError
from nucleate.models.series import find_series, open_weights
from nucleate.models.series.judge import judge, order_findings
from nucleate.models.series.sketch import take_sketch


def sketches_of(series):
    return {member.name: take_sketch(member) for member in series.members}


@pytest.fixture
def series(tmp_path, make_series):
    return find_series(str(make_series(tmp_path / "s", manifest=False)))


def test_a_sound_series_is_sound(series):
    assert judge(series.members, sketches_of(series)) == []


def test_every_exchange_is_named(series):
    sketches = sketches_of(series)
    names = [member.name for member in series.members]
    for one, other in itertools.combinations(names, 2):
        mixed = {**sketches}
        mixed[one] = replace(sketches[other], name=one)
        mixed[other] = replace(sketches[one], name=other)
        (found,) = judge(series.members, mixed)
        assert (found.kind, found.names, found.skip) == ("swapped", (one, other), (one, other))


def test_every_copy_is_named_and_the_original_kept(series):
    sketches = sketches_of(series)
    names = [member.name for member in series.members]
    for one, other in itertools.permutations(names, 2):
        mixed = {**sketches, other: replace(sketches[one], name=other)}
        (found,) = judge(series.members, mixed)
        assert found.kind == "duplicate"
        assert set(found.names) == {one, other}
        beside = abs(names.index(one) - names.index(other)) == 1
        assert found.skip == (other,) or (beside and "cannot be told" in found.text)


def test_random_walks_are_in_order():
    """Paths without any drift, of 40 points in 400 dimensions: no finding in 50 of them."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        path = np.cumsum(rng.normal(size=(40, 400)), axis=0)
        distances = np.linalg.norm(path[:, None] - path[None], axis=2)
        assert order_findings([str(n) for n in range(40)], distances) == []


def test_weights_around_an_optimum_are_in_no_wrong_order():
    """Where training only jitters, all distances are alike and nothing may be concluded."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        path = rng.normal(size=(20, 4000))
        distances = np.linalg.norm(path[:, None] - path[None], axis=2)
        assert order_findings([str(n) for n in range(20)], distances) == []


def test_a_checkpoint_of_another_run_lies_off_the_path(series, trained_models):
    from nucleate.models import ModelSettings, build

    size = trained_models[0][1].config.vocab_size
    settings = ModelSettings(layers=1, width=16, heads=2, context=64)
    other = build(settings, size, seed=7, eos_token_id=0)
    other.save_pretrained(series.members[4].path)
    (found,) = judge(series.members, sketches_of(series))
    assert (found.kind, found.skip) == ("off the path", (series.members[4].name,))


def change(member, edit):
    path = member.path / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_values_that_no_weight_has(series, value):
    name = "model.layers.0.mlp.up_proj.weight"
    change(series.members[3], lambda tensors: tensors[name][2].fill_(value))
    (found,) = judge(series.members, sketches_of(series))
    assert (found.kind, found.skip) == ("damaged", ("step6",))
    assert name in found.text


def test_a_flipped_exponent_bit(series):
    """The highest bit of the exponent makes 2^128 of one weight: seen without any manifest."""
    member = series.members[5]
    offset = open_weights(member).tensors["model.norm.weight"].offset
    content = bytearray((member.path / "model.safetensors").read_bytes())
    content[offset + 4 * 3 + 3] ^= 0x40
    (member.path / "model.safetensors").write_bytes(content)
    (found,) = judge(series.members, sketches_of(series))
    assert found.skip == (member.name,)
    assert "model.norm.weight" in found.text


def test_any_flipped_bit_under_a_manifest(tmp_path, make_series):
    series = find_series(str(make_series(tmp_path / "s")))
    member = series.members[2]
    path = member.path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 0x01  # the lowest bit of a mantissa
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="has been altered since it was saved"):
        take_sketch(member)


def test_manifests_tell_exchanges_and_copies_apart(tmp_path, make_series):
    folder = make_series(tmp_path / "s")
    (folder / "step4").rename(folder / "tmp")
    (folder / "step9").rename(folder / "step4")
    (folder / "tmp").rename(folder / "step9")
    (folder / "step12").rename(folder / "step13")
    series = find_series(str(folder))
    assert series.axis == "tokens"  # as the others tell
    found = {finding.kind: finding for finding in judge(series.members, sketches_of(series))}
    assert found["swapped"].names == ("step4", "step9")
    assert found["mislabelled"].text == "step13 was saved at step 12"


@pytest.mark.parametrize("what", ["config", "tokenizer"])
def test_another_config_or_tokenizer(series, what):
    for member in series.members:
        (member.path / "tokenizer.json").write_text("{}")
    odd = series.members[4].path
    if what == "config":
        config = json.loads((odd / "config.json").read_text())
        config["rms_norm_eps"] = 1e-3
        (odd / "config.json").write_text(json.dumps(config))
    else:
        (odd / "tokenizer.json").write_text("[]")
    (found,) = judge(series.members, sketches_of(series))
    assert (found.kind, found.skip) == (f"another {what}", ("step9",))


def test_versions_and_places_make_no_other_model(series):
    odd = series.members[4].path / "config.json"
    config = json.loads(odd.read_text())
    odd.write_text(json.dumps({**config, "transformers_version": "0", "_name_or_path": "x"}))
    assert judge(series.members, sketches_of(series)) == []


def test_a_sketch_does_not_depend_on_the_order_of_a_file(series):
    member = series.members[0]
    before = take_sketch(member)
    tensors = load_file(member.path / "model.safetensors")
    save_file({f"{n}": t for n, t in reversed(tensors.items())}, member.path / "model.safetensors")
    after = take_sketch(member)
    assert torch.equal(torch.tensor(before.sample), torch.tensor(after.sample))
    assert dict(before.largest) == dict(after.largest)
