"""Modelled FLOPs of every architecture against the profiler that counts every matrix product."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nucleate.core.flops import count_parameters, read_architecture
from nucleate.models import flops_per_token, parameter_counts
from tests.unit.probes.mechanism.constructed import OTHERS, VOCABULARY, rows, small


@pytest.mark.parametrize("name", [*OTHERS, "gpt2"])
@pytest.mark.parametrize("context", [16, 60])
def test_forward_and_backward_agree_with_the_profiler(name: str, context: int) -> None:
    model, ids_BT = small(name), rows(2, context)
    model.config._attn_implementation = model.config._experts_implementation = "eager"
    with FlopCounterMode(display=False) as counter:
        loss = model(ids_BT, labels=ids_BT).loss
        forward = counter.get_total_flops()
        loss.backward()
    parts = flops_per_token(model.config, context)
    assert sum(parts.values()) * ids_BT.numel() == pytest.approx(forward, rel=0.01)
    total = 3 * sum(parts.values()) * ids_BT.numel()
    assert total == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert parts["head"] == 2 * 32 * VOCABULARY


@pytest.mark.parametrize("name", [*OTHERS, "gpt2"])
def test_parameters_are_those_of_the_model(name: str) -> None:
    model = small(name)
    with torch.no_grad():
        counts = parameter_counts(model)
    read = read_architecture(model.config.to_dict())
    assert count_parameters(read) == (counts.total, counts.active)
    assert (counts.active < counts.total) == (name in ("olmoe", "qwen2_moe", "qwen3_moe"))
