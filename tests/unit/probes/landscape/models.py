"""Landscapes that are known by heart, and whether a model was left as it was."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from nucleate.models import ModelSettings, build


class Point(nn.Module):
    """A module that is nothing but a vector of parameters."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(torch.as_tensor(w, dtype=torch.float64))


def quadratic(matrix):
    """Return the loss ``wᵀ A w / 2`` whatever the batch."""
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    return lambda point, batch: point.w @ matrix @ point.w / 2 + 0 * batch.sum()


def rotated(eigenvalues, seed=0):
    """Return a symmetric matrix with these eigenvalues in a random basis."""
    size = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


def small(family="llama", seed=0):
    """A transformer of one layer, in training mode, with gradients from one backward pass."""
    shape = {"layers": 1, "width": 16, "heads": 2, "mlp_width": 24, "context": 32}
    model = build(ModelSettings(family=family, init_std=0.2, **shape), 31, seed)
    ids = torch.randint(31, (2, 8), generator=torch.Generator().manual_seed(1))
    model(input_ids=ids, labels=ids).loss.backward()
    return model


@contextmanager
def unchanged(model):
    """Assert that a block leaves weights, buffers, gradients, modes, hooks and random states."""
    before, state = picture(model), torch.get_rng_state()
    yield
    after = picture(model)
    assert before.keys() == after.keys()
    assert all(same(before[key], after[key]) for key in before)
    assert torch.equal(state, torch.get_rng_state())


def picture(model):
    tensors = {f"{k}": v.clone() for k, v in model.state_dict().items()}
    tensors |= {f"buffer {k}": v.clone() for k, v in model.named_buffers()}
    tensors |= {
        f"grad {k}": p.grad if p.grad is None else p.grad.clone()
        for k, p in model.named_parameters()
    }
    tensors |= {f"id {k}": id(p) for k, p in model.named_parameters()}
    for k, module in model.named_modules():
        tensors |= {f"mode {k}": module.training, f"attributes {k}": sorted(vars(module))}
        tensors[f"hooks {k}"] = [list(v) for n, v in vars(module).items() if n.endswith("_hooks")]
    return tensors


def same(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
