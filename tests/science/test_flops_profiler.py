"""Modelled FLOPs against the profiler that counts every matrix product as it is computed.

Attention and experts run eagerly, because `FlopCounterMode` knows no fused CPU kernel by itself;
what a fused attention kernel adds is a test of its own, with the kernel taught to the profiler.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from nucleate.models import ModelSettings, build, flops_per_token
from nucleate.train.ledger import costs, optimizer_flops
from nucleate.train.optimizers import make_optimizers
from nucleate.train.recipe import OptimizerSettings

VOCAB, ROWS = 211, 2
MODELS = {
    "llama 3 × 64": ModelSettings(size="tiny"),
    "llama 2 × 192, grouped": ModelSettings(
        layers=2, width=192, heads=6, kv_heads=2, context=512, tie_embeddings=True
    ),
    "neox 3 × 64": ModelSettings(family="neox", size="tiny"),
    "neox 2 × 160": ModelSettings(family="neox", layers=2, width=160, heads=5, context=512),
    "mixtral 3 × 64": ModelSettings(family="mixtral", size="tiny"),
    "mixtral 2 × 96, 1 of 6": ModelSettings(
        family="mixtral", layers=2, width=96, heads=4, kv_heads=2, experts=6, experts_per_token=1
    ),
}
CPU_KERNEL = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
FUSED = {
    CPU_KERNEL: lambda q, k, v, *_, out_shape=None, **__: sdpa_flop_count(q, k, v),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda out, q, k, v, *_, out_shape=None, **__: sdpa_backward_flop_count(out, q, k, v)
    ),
}
"""The CPU's kernel counted as torch itself counts the CUDA kernels of the same name."""


def counted(
    model: Any, context: int, mapping: dict[Any, Any] | None = None
) -> tuple[float, float, int]:
    """Return the profiled FLOPs of a forward and of a backward pass, and the tokens in them."""
    ids = torch.randint(VOCAB, (ROWS, context), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        loss = model(ids, labels=ids).loss
        forward = counter.get_total_flops()
        loss.backward()
    return forward, counter.get_total_flops() - forward, ids.numel()


def eager(settings: ModelSettings) -> Any:
    model = build(settings, VOCAB, seed=0)
    model.config._attn_implementation = model.config._experts_implementation = "eager"
    return model


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("context", [16, 96, 256])
def test_forward_and_backward_agree_with_the_profiler(name: str, context: int) -> None:
    model = eager(MODELS[name])
    forward, backward, tokens = counted(model, context)
    modelled = costs(model, context, OptimizerSettings())
    assert sum(modelled.forward.values()) * tokens == pytest.approx(forward, rel=0.01)
    assert modelled.backward * tokens == pytest.approx(backward, rel=0.01)


@pytest.mark.parametrize("context", [64, 256])
def test_a_fused_kernel_makes_the_scores_again_and_we_do_not_count_that(context: int) -> None:
    """Four products in the backward pass and one repeated: half a forward pass of the scores."""
    model = build(MODELS["llama 2 × 192, grouped"], VOCAB, seed=0)
    model.config._attn_implementation = "sdpa"
    forward, backward, tokens = counted(model, context, FUSED)
    parts = flops_per_token(model.config, context)
    assert sum(parts.values()) * tokens == pytest.approx(forward, rel=0.01)
    ours, again = 2 * sum(parts.values()), parts["attention_scores"] / 2
    assert again / ours > 0.01  # the difference is one that this test can see
    assert (ours + again) * tokens == pytest.approx(backward, rel=0.01)


@pytest.mark.parametrize("name", MODELS)
def test_muon_agrees_with_the_profiler(name: str) -> None:
    """Newton-Schulz is all products; AdamW has none, so its elementwise work is not seen."""
    model = eager(MODELS[name])
    settings = OptimizerSettings(kind="muon")
    muon = make_optimizers(model, settings)["muon"]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with FlopCounterMode(display=False) as counter:
        muon.step()
    matrices = [p for group in muon.param_groups for p in group["params"]]
    rest = [p for p in model.parameters() if id(p) not in {id(matrix) for matrix in matrices}]
    others = optimizer_flops(model, settings) - 14 * sum(p.numel() for p in rest)
    by_hand = 0.0
    for matrix in matrices:
        m, n = sorted(matrix.shape)
        by_hand += 5 * (2 * m * m * n + 2 * m**3 + 2 * m * m * n)
    assert counter.get_total_flops() == by_hand
    assert others == pytest.approx(by_hand, rel=0.01)


def test_a_whole_step_agrees_with_the_profiler() -> None:
    """Forward, backward and both optimisers; AdamW's 14 operations a parameter come on top."""
    model = eager(MODELS["llama 2 × 192, grouped"])
    settings = OptimizerSettings(kind="muon")
    optimizers = make_optimizers(model, settings)
    ids = torch.randint(VOCAB, (8, 128), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        model(ids, labels=ids).loss.backward()
        for optimizer in optimizers.values():
            optimizer.step()
    modelled = costs(model, 128, settings)
    total = modelled.per_token * ids.numel() + modelled.optimizer
    assert total == pytest.approx(counter.get_total_flops(), rel=0.01)
