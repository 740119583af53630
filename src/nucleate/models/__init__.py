"""Build small models, store and verify checkpoints, name parts, count parameters and FLOPs.

Only the settings are loaded at once; everything that needs torch loads on first use, so that
``nucleate --help`` never imports it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nucleate.models.settings import ModelSettings

if TYPE_CHECKING:
    from nucleate.models.anatomy import (
        ParameterCounts,
        head_names,
        layer_modules,
        layer_names,
        num_experts,
        parameter_counts,
    )
    from nucleate.models.builder import build
    from nucleate.models.checkpoint import (
        Checkpoint,
        find_checkpoints,
        load_checkpoint,
        save_checkpoint,
    )
    from nucleate.models.flops import flops_per_token, training_flops_per_token
    from nucleate.models.integrity import CheckpointManifest, verify_checkpoint
    from nucleate.models.state_io import load_optimizers, pack, pack_optimizers, unpack

_HOME = {
    "ParameterCounts": "anatomy",
    "head_names": "anatomy",
    "layer_modules": "anatomy",
    "layer_names": "anatomy",
    "num_experts": "anatomy",
    "parameter_counts": "anatomy",
    "build": "builder",
    "Checkpoint": "checkpoint",
    "find_checkpoints": "checkpoint",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
    "flops_per_token": "flops",
    "training_flops_per_token": "flops",
    "CheckpointManifest": "integrity",
    "verify_checkpoint": "integrity",
    "load_optimizers": "state_io",
    "pack": "state_io",
    "pack_optimizers": "state_io",
    "unpack": "state_io",
}

__all__ = [
    "Checkpoint",
    "CheckpointManifest",
    "ModelSettings",
    "ParameterCounts",
    "build",
    "find_checkpoints",
    "flops_per_token",
    "head_names",
    "layer_modules",
    "layer_names",
    "load_checkpoint",
    "load_optimizers",
    "num_experts",
    "pack",
    "pack_optimizers",
    "parameter_counts",
    "save_checkpoint",
    "training_flops_per_token",
    "unpack",
    "verify_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found
