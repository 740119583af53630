"""Series of checkpoints that tests are made of: a few real training steps of a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STEPS = (1, 2, 4, 6, 9, 12, 16, 20)
"""Optimiser steps at which the tiny model is kept."""


@pytest.fixture(scope="session")
def trained_models() -> list[tuple[int, Any]]:
    """A tiny model of the story world's vocabulary at each of `STEPS`."""
    import copy

    import torch

    from nucleate.corpora.storyworld import make_world, vocabulary
    from nucleate.models import ModelSettings, build

    size = len(vocabulary(make_world(0).towns)) + 1
    model = build(ModelSettings(layers=1, width=16, heads=2, context=64), size, 0, eos_token_id=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    kept = []
    for step in range(1, max(STEPS) + 1):
        ids = torch.randint(size, (4, 32), generator=generator) // 3
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step in STEPS:
            kept.append((step, copy.deepcopy(model)))
    return kept


@pytest.fixture
def make_series(trained_models: list[tuple[int, Any]]) -> Callable[..., Path]:
    """Save the tiny model's checkpoints: ``make_series(folder, manifest=True, name="step{}")``."""
    from nucleate.core import Step
    from nucleate.corpora.storyworld import make_world, vocabulary
    from nucleate.corpora.tokenizer import word_tokenizer
    from nucleate.models import save_checkpoint

    def make(folder: Path, *, manifest: bool = True, name: str = "step{}") -> Path:
        for step, model in trained_models:
            path = folder / name.format(step)
            save_checkpoint(path, model, step=Step(step, step * 1000))
            if not manifest:
                (path / "manifest.json").unlink()
        word_tokenizer(vocabulary(make_world(0).towns)).save_pretrained(folder)
        return folder

    return make
