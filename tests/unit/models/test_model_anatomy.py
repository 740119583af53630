"""Counting: parameters against formulas written down independently, FLOPs against torch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import OPTConfig

from nucleate.core import CheckpointError
from nucleate.models import (
    ModelSettings,
    build,
    flops_per_token,
    head_names,
    layer_modules,
    layer_names,
    parameter_counts,
    training_flops_per_token,
)

VOCAB = 101
CASES = {
    "llama": ModelSettings(size="tiny"),
    "llama grouped": ModelSettings(size="tiny", kv_heads=2, tie_embeddings=True),
    "neox": ModelSettings(family="neox", size="tiny"),
    "mixtral": ModelSettings(family="mixtral", size="tiny", kv_heads=1),
    "mixtral top 1": ModelSettings(family="mixtral", size="tiny", experts=3, experts_per_token=1),
}


def non_embedding(settings):
    d, m, n = settings.width, settings.mlp_width, settings.layers
    if settings.family == "neox":  # all with biases; two LayerNorms of 2 d each
        return n * ((3 * d * d + 3 * d) + (d * d + d) + (2 * d * m + m + d) + 4 * d) + 2 * d
    attention = 2 * d * d + 2 * d * (d // settings.heads * settings.kv_heads)
    experts = settings.experts or 1
    router = d * experts if settings.family == "mixtral" else 0
    return n * (attention + experts * 3 * d * m + router + 2 * d) + d


@pytest.mark.parametrize("case", CASES)
def test_parameters_agree_with_the_formula(case):
    settings = CASES[case].resolved()
    counts = parameter_counts(build(settings, VOCAB, seed=0))
    matrix = VOCAB * settings.width
    assert counts.non_embedding == non_embedding(settings)
    assert (counts.embedding, counts.head) == (matrix, 0 if settings.tie_embeddings else matrix)
    idle = (settings.experts or 1) - (settings.experts_per_token or 1)
    assert counts.total - counts.active == settings.layers * idle * 3 * (
        settings.width * settings.mlp_width
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("context", [32, 128])
def test_flops_agree_with_torch(case, context):
    """Eager attention and eager experts, because the counter knows no fused CPU kernel."""
    model = build(CASES[case], VOCAB, seed=0)
    model.config._attn_implementation = "eager"
    model.config._experts_implementation = "eager"
    ids = torch.randint(VOCAB, (2, context), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        loss = model(ids, labels=ids).loss
        forward = counter.get_total_flops()
        loss.backward()
    parts = flops_per_token(model.config, context)
    assert sum(parts.values()) * ids.numel() == pytest.approx(forward, rel=0.01)
    training = sum(training_flops_per_token(model.config, context).values())
    assert training * ids.numel() == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_flops_of_another_architecture_are_refused():
    with pytest.raises(CheckpointError, match="FLOPs of this architecture are not known"):
        flops_per_token(OPTConfig(), 128)


@pytest.mark.parametrize("family", ["llama", "neox", "mixtral"])
def test_layers_and_heads_have_names(family):
    model = build(ModelSettings(family=family, size="tiny"), VOCAB, seed=0)
    assert layer_names(model.config) == ["L0", "L1", "L2"]
    heads = head_names(model.config)
    assert (len(heads), heads[0], heads[3], heads[4], heads[-1]) == (
        12, "L0H0", "L0H3", "L1H0", "L2H3",
    )  # fmt: skip
    modules = layer_modules(model)
    assert list(modules) == ["L0", "L1", "L2"]
    assert modules["L1"] is model.base_model.layers[1]
