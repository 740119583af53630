"""Small recipes that train in about a second."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch

from nucleate.train.recipe import Recipe


def tiny(**changes: Any) -> Recipe:
    """Return a recipe of 24 steps of 256 tokens on a 1-layer model."""
    settings: dict[str, Any] = {
        "tokens": 24 * 256,
        "rows": 4,
        "context": 64,
        "model": {"layers": 1, "width": 16, "heads": 2, "tie_embeddings": True},
        "schedule": {"warmup_tokens": 512},
        "probes": {"per_decade": 6, "first_tokens": 256, "cost_cap": 10, "items": 8},
        "checkpoints_per_decade": 2,
        "resume_every": 5 * 256,
        "device": "cpu",
    }
    return Recipe.model_validate(settings | changes)


def fingerprint(loop: Any) -> dict[str, str]:
    """Return SHA-256 of weights, optimiser state and random state of a loop."""
    weights, state = hashlib.sha256(), hashlib.sha256()
    for name, tensor in loop.training.model.state_dict().items():
        weights.update(name.encode() + tensor.cpu().numpy().tobytes())
    for name, optimizer in loop.training.optimizers.items():
        for index, entries in optimizer.state_dict()["state"].items():
            for key, value in entries.items():
                content = (
                    value.cpu().numpy().tobytes()
                    if torch.is_tensor(value)
                    else repr(value).encode()
                )
                state.update(f"{name}{index}{key}".encode() + content)
    rng = hashlib.sha256(torch.get_rng_state().numpy().tobytes())
    if torch.cuda.is_initialized():
        rng.update(torch.cuda.get_rng_state().numpy().tobytes())
    return {
        "weights": weights.hexdigest(),
        "optimizer": state.hexdigest(),
        "rng": rng.hexdigest(),
        "keys": ",".join(loop.training.model.state_dict()),
    }


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(1234)
