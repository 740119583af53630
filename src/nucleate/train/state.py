"""Everything that a run needs to go on bit by bit: saved beside the weights, never pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from nucleate.core import CheckpointError, Step
from nucleate.models import (
    load_checkpoint,
    load_optimizers,
    pack_optimizers,
    save_checkpoint,
    verify_checkpoint,
)

FOLDER = "resume"
_TENSORS, _TREE, _STATE, _RNG = "optimizer.safetensors", "optimizer.json", "state.json", "rng"


def save_state(
    run: Path,
    model: Any,
    optimizers: dict[str, torch.optim.Optimizer],
    step: Step,
    state: dict[str, Any],
) -> None:
    """Replace the run's resume point.

    Args:
        run: The run folder.
        state: Places of data stream, schedules and observer, as JSON types.
    """
    tensors, tree = pack_optimizers(optimizers)
    tensors[f"{_RNG}.cpu"] = torch.get_rng_state()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # a run on the CPU must not wake a device
        for index, rng in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"{_RNG}.cuda{index}"] = rng
    save_checkpoint(
        run / FOLDER,
        model,
        step=step,
        extra_files={_TENSORS: tensors, _TREE: {"tree": tree}, _STATE: state},
        replace=True,
    )


def load_position(run: Path) -> dict[str, Any]:
    """Return the state that was passed to `save_state`.

    Raises:
        CheckpointError: There is no resume point, it is damaged, or of an earlier version.
    """
    verify_checkpoint(run / FOLDER)
    state: dict[str, Any] = json.loads((run / FOLDER / _STATE).read_bytes())
    if "training" not in state:
        raise CheckpointError(
            "resume point is of an earlier version of nucleate",
            where=run / FOLDER / _STATE,
            fix="train again in a new folder",
        )
    return state


def load_state(run: Path, model: Any, optimizers: dict[str, torch.optim.Optimizer]) -> Step:
    """Load the run's resume point into a model and its optimisers, and set torch's generators.

    Returns:
        Where training stood.

    Raises:
        CheckpointError: There is no resume point, or it is damaged or of another recipe.
    """
    checkpoint = load_checkpoint(run / FOLDER)
    saved = checkpoint.model.state_dict()
    own = model.state_dict()
    if saved.keys() != own.keys() or any(saved[k].shape != own[k].shape for k in own):
        raise CheckpointError(
            "resume point holds another model", where=run / FOLDER, fix="use the run's own recipe"
        )
    model.load_state_dict(saved)
    tensors = checkpoint.tensors(_TENSORS)
    generators = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_RNG)}
    load_optimizers(optimizers, tensors, checkpoint.json(_TREE)["tree"])
    torch.set_rng_state(generators.pop(f"{_RNG}.cpu"))
    for index in range(torch.cuda.device_count()):
        if (rng := generators.get(f"{_RNG}.cuda{index}")) is not None:
            torch.cuda.set_rng_state(rng, index)
    return checkpoint.step


def has_state(run: Path) -> bool:
    """Return whether there is a resume point; one that a crash left half replaced is put back."""
    outgoing = run / f".{FOLDER}.outgoing"
    if not (run / FOLDER).exists() and outgoing.exists():
        outgoing.rename(run / FOLDER)
    return (run / FOLDER / "manifest.json").exists()
