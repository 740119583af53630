"""Checkpoints: what is loaded is what was saved, and other tools open it."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM

from nucleate.core import CheckpointError, Step
from nucleate.models import (
    ModelSettings,
    build,
    find_checkpoints,
    load_checkpoint,
    pack,
    save_checkpoint,
    unpack,
    verify_checkpoint,
)

STEP = Step(12, 49_152, 1.5e12, 0.1 + 0.2, 1 / 3)


def tiny(family="llama", **more):
    return build(ModelSettings(family=family, size="tiny", **more), 97, seed=0, eos_token_id=0)


def logits(model):
    ids = torch.randint(97, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.eval()(ids).logits


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("family", ["llama", "neox", "mixtral"])
def test_loaded_models_compute_the_same_bits(tmp_path, family, tie):
    model = tiny(family, tie_embeddings=tie)
    folder = save_checkpoint(tmp_path / "step12", model, step=STEP)
    loaded = load_checkpoint(folder)
    assert loaded.step == STEP
    assert not loaded.model.training
    before, after = model.state_dict(), loaded.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(logits(model), logits(loaded.model))
    elsewhere = AutoModelForCausalLM.from_pretrained(folder)
    assert type(elsewhere) is type(model)
    assert torch.equal(logits(model), logits(elsewhere))


def test_half_precision_is_kept(tmp_path):
    model = tiny().to(torch.bfloat16)
    loaded = load_checkpoint(save_checkpoint(tmp_path / "half", model, step=STEP))
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.bfloat16}


def test_saving_and_loading_disturb_nothing(tmp_path, capfd):
    model = tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random.seed(0), torch.manual_seed(0)
    expected = random.random(), torch.rand(2).tolist()
    random.seed(0), torch.manual_seed(0)
    load_checkpoint(save_checkpoint(tmp_path / "quiet", model, step=STEP))
    assert (random.random(), torch.rand(2).tolist()) == expected
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert capfd.readouterr() == ("", "")


def test_extra_files_come_back(tmp_path):
    tensors, tree = pack({"momentum": torch.arange(3.0), "betas": (0.9, 0.95)})
    extra = {"state.safetensors": tensors, "state.json": tree, "notes.txt": b"\x00raw"}
    folder = save_checkpoint(tmp_path / "extra", tiny(), step=STEP, extra_files=extra)
    loaded = load_checkpoint(folder)
    back = unpack(loaded.tensors("state.safetensors"), loaded.json("state.json"))
    assert back["betas"] == (0.9, 0.95)
    assert torch.equal(back["momentum"], torch.arange(3.0))
    assert (folder / "notes.txt").read_bytes() == b"\x00raw"
    assert extra.keys() <= loaded.manifest.files.keys()
    with pytest.raises(CheckpointError, match=r"holds no sampler\.json"):
        loaded.json("sampler.json")


@pytest.mark.parametrize("name", ["../out.json", "config.json", "manifest.json", "odd.pt"])
def test_extra_files_have_names_of_their_own(tmp_path, name):
    with pytest.raises(ValueError, match="extra file"):
        save_checkpoint(tmp_path / "bad", tiny(), step=STEP, extra_files={name: {}})
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_replaced_only_on_request(tmp_path):
    folder = save_checkpoint(tmp_path / "same", tiny(), step=STEP)
    other = tiny("neox")
    with pytest.raises(CheckpointError, match="exists already; choose another folder"):
        save_checkpoint(folder, other, step=STEP)
    assert verify_checkpoint(folder).architecture == "llama"
    save_checkpoint(folder, other, step=STEP, replace=True)
    assert verify_checkpoint(folder).architecture == "gpt_neox"
    assert [entry.name for entry in tmp_path.iterdir()] == ["same"]


def test_checkpoints_are_found_in_order_of_training(tmp_path):
    for step in (100, 20, 3):
        save_checkpoint(tmp_path / f"step{step}", tiny(), step=Step(step, step * 10))
    (tmp_path / "step20" / "manifest.json").unlink()
    (tmp_path / "stray.txt").write_text("x")
    (tmp_path / ".step4.draft").mkdir()
    assert [path.name for _, path in find_checkpoints(tmp_path)] == ["step3", "step100"]
    assert find_checkpoints(tmp_path / "absent") == []


def test_attention_implementation_can_be_chosen(tmp_path):
    folder = save_checkpoint(tmp_path / "a", tiny(), step=STEP)
    model = load_checkpoint(folder, attention="eager").model
    ids = torch.arange(8)[None]
    assert model(ids, output_attentions=True).attentions[0].shape == (1, 4, 8, 8)
