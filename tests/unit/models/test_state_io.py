"""Training state without pickle: every bit comes back, and training goes on as if nothing was."""

import json
import math

import pytest
import safetensors.torch
import torch

from nucleate.core import CheckpointError
from nucleate.models import ModelSettings, build, load_optimizers, pack, pack_optimizers, unpack


def through_disk(state):
    tensors, tree = pack(state)
    text = json.dumps(tree, allow_nan=False)
    return unpack(safetensors.torch.load(safetensors.torch.save(tensors)), json.loads(text))


def test_any_nest_comes_back_with_its_types():
    state = {
        "none": None,
        "flags": [True, False, 1, 0],
        "tuple": (0.9, (0.999, "x"), []),
        "floats": [0.1, -0.0, 5e-324, math.inf, -math.inf, 1.0, 1e22],
        "large": 2**200,
        3: {"int key": "kept", (1, 2): "tuple key"},
        "$tensor": "a name that only looks special",
        "text": "ž\u2028\x00",
    }
    assert repr(through_disk(state)) == repr(state)
    assert math.isnan(through_disk([math.nan])[0])


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool]
)
def test_tensors_keep_dtype_shape_and_bits(dtype):
    values = torch.tensor([[0.1, -0.0, 3.0]]).to(dtype)
    state = [values, values.T, values[0, 0], values[:, :0]]
    for before, after in zip(state, through_disk(state), strict=True):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert torch.equal(after, before)


def test_packed_tensors_are_a_snapshot():
    live = torch.zeros(3)
    tensors, tree = pack({"a": live, "a.b": live, "a~1": live, "c": {"d": live}, "c.d": live})
    live += 1
    assert len(tensors) == 5
    assert all(torch.equal(found, torch.zeros(3)) for found in tensors.values())
    assert unpack(tensors, tree).keys() == {"a", "a.b", "a~1", "c", "c.d"}


def test_random_states_come_back():
    import random

    state = {"python": random.getstate(), "torch": torch.get_rng_state()}
    back = through_disk(state)
    assert back["python"] == state["python"]
    assert torch.equal(back["torch"], state["torch"])


@pytest.mark.parametrize("thing", [object(), {1, 2}, b"bytes", 1j, torch.float32])
def test_what_json_cannot_hold_is_refused(thing):
    with pytest.raises(TypeError, match=r"cannot pack .* at a\.0"):
        pack({"a": [thing]})


@pytest.mark.parametrize("tree", [{"$tensor": "absent"}, {"$float": "x"}, {"$dict": [1]}])
def test_a_broken_tree_is_one_line(tree):
    with pytest.raises(CheckpointError, match="does not fit together"):
        unpack({}, {"deep": [tree]})


def muon(matrices):
    """Muon where torch has it (2.9), else another optimiser with a buffer per matrix."""
    if hasattr(torch.optim, "Muon"):
        return torch.optim.Muon(matrices, lr=2e-2)
    return torch.optim.SGD(matrices, lr=2e-2, momentum=0.9)


def training(seed=0):
    """A tiny model under Muon (matrices) and AdamW (the rest), as large runs train."""
    settings = ModelSettings(layers=1, width=16, heads=2, mlp_width=16)
    model = build(settings, 31, seed)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers" in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "layers" not in n]
    groups = [{"params": rest[:1], "weight_decay": 0.0}, {"params": rest[1:], "lr": 1 / 3}]
    optimizers = {
        "adamw": torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), amsgrad=True),
        "muon": muon(matrices),
    }
    return model, optimizers


def advance(model, optimizers, steps):
    for step in steps:
        ids = torch.randint(31, (2, 8), generator=torch.Generator().manual_seed(step))
        model(ids, labels=ids).loss.backward()
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] *= 0.97
            optimizer.step()
            optimizer.zero_grad()


def test_training_goes_on_bit_by_bit():
    model, optimizers = training()
    advance(model, optimizers, range(3))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    tensors, tree = pack_optimizers(optimizers)
    tree = json.loads(json.dumps(tree, allow_nan=False))
    tensors = safetensors.torch.load(safetensors.torch.save(tensors))
    advance(model, optimizers, range(3, 7))

    resumed, fresh = training(seed=1)
    resumed.load_state_dict(weights)
    load_optimizers(fresh, tensors, tree)
    advance(resumed, fresh, range(3, 7))

    expected, found = model.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    for name in optimizers:
        assert_equal_states(optimizers[name].state_dict(), fresh[name].state_dict())


def assert_equal_states(before, after):
    assert before["param_groups"] == after["param_groups"]
    assert repr(before["param_groups"]) == repr(after["param_groups"])
    for index, state in before["state"].items():
        for key, value in state.items():
            assert value.dtype == after["state"][index][key].dtype
            assert torch.equal(value, after["state"][index][key])


def test_state_of_other_optimisers_is_refused():
    _, optimizers = training()
    tensors, tree = pack_optimizers(optimizers)
    with pytest.raises(CheckpointError, match="holds other optimisers"):
        load_optimizers({"adamw": optimizers["adamw"]}, tensors, tree)
    swapped = {"adamw": optimizers["muon"], "muon": optimizers["adamw"]}
    with pytest.raises(CheckpointError, match="is of another kind"):
        load_optimizers(swapped, tensors, tree)
    fewer = torch.optim.AdamW(optimizers["adamw"].param_groups[0]["params"])
    with pytest.raises(CheckpointError, match="does not fit") as caught:
        load_optimizers(optimizers | {"adamw": fewer}, tensors, tree)
    assert len(str(caught.value)) <= 200
