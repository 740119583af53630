"""Save a checkpoint so that it is whole or absent, and load only what is whole.

The layout is the one of `transformers` (``config.json``, ``model.safetensors``), so that every
checkpoint opens in other tools too; further training state lies beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from nucleate.core import CheckpointError, Step
from nucleate.models import integrity
from nucleate.models.loading import load_model
from nucleate.models.quiet import quiet_transformers

WEIGHTS = "model.safetensors"
ExtraFile = bytes | Mapping[str, Tensor] | Mapping[str, Any] | list[Any]


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        folder: Where it lies.
        model: The model, in evaluation mode, on the CPU.
        manifest: What it holds, and the Step at which it was taken.
    """

    folder: Path
    model: PreTrainedModel
    manifest: integrity.CheckpointManifest

    @property
    def step(self) -> Step:
        """Where in training it was taken."""
        return self.manifest.step

    def json(self, name: str) -> Any:
        """Return the content of an extra JSON file."""
        return json.loads(self._extra(name).read_bytes())

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the content of an extra safetensors file, on the CPU."""
        return dict(safetensors.torch.load_file(self._extra(name)))

    def _extra(self, name: str) -> Path:
        if name not in self.manifest.files:
            known = ", ".join(self.manifest.files)
            raise CheckpointError(f"holds no {name}", where=self.folder, expected=known)
        return self.folder / name


def save_checkpoint(
    folder: str | Path,
    model: PreTrainedModel,
    *,
    step: Step,
    extra_files: Mapping[str, ExtraFile] | None = None,
    replace: bool = False,
) -> Path:
    """Save a model and what belongs to it; the folder appears whole or not at all.

    Args:
        folder: Where to put it.
        model: The bare model (not its compiled or distributed wrapper).
        step: Where in training it is taken.
        extra_files: Further files by name: bytes as they are, tensors for ``*.safetensors``, JSON
            types for ``*.json``.
        replace: Whether to take the place of an older checkpoint, as a resumed run must.

    Raises:
        CheckpointError: The folder exists already, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not replace:
        raise CheckpointError("exists already", where=folder, fix="choose another folder")
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with quiet_transformers():
            model.save_pretrained(draft, max_shard_size=10**18)
        for name, content in (extra_files or {}).items():
            _write_extra(draft, name, content)
        integrity.write_manifest(draft, step, model.config.model_type, _versions())
        _put_in_place(draft, folder)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            "cannot be written", where=folder, got=str(error), fix="check space and permissions"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def load_checkpoint(folder: str | Path, *, attention: str | None = None) -> Checkpoint:
    """Verify a checkpoint and load its model in evaluation mode on the CPU.

    Args:
        folder: A folder that `save_checkpoint` made.
        attention: Attention implementation (``eager`` when attention weights are wanted); what
            transformers prefers when left out.

    Raises:
        CheckpointError: It is missing, incomplete, altered, of an unknown architecture, or its
            weights do not fit its config.
    """
    folder = Path(folder)
    manifest = integrity.verify_checkpoint(folder)
    for name in ("config.json", WEIGHTS):
        if name not in manifest.files:
            raise CheckpointError("is missing", where=folder / name, fix="use another checkpoint")
    return Checkpoint(folder, load_model(folder, attention), manifest)


def find_checkpoints(parent: str | Path) -> list[tuple[Step, Path]]:
    """List the complete checkpoints in a folder, in order of training; nothing is hashed yet."""
    found = []
    for path in Path(parent).glob("[!.]*"):
        try:
            found.append((integrity.read_manifest(path).step, path))
        except CheckpointError:  # a stray file, or a save that was cut short
            continue
    return sorted(found, key=lambda pair: (pair[0].tokens, pair[0].step, pair[1].name))


def _write_extra(folder: Path, name: str, content: ExtraFile) -> None:
    path = folder / name
    if path.parent != folder or path.exists() or name == integrity.FILE:
        raise ValueError(f"extra file needs a plain name of its own: {name!r}")
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".safetensors" and isinstance(content, Mapping):
        safetensors.torch.save_file(dict(content), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
    else:
        raise ValueError(f"extra file must be bytes, *.safetensors or *.json: {name!r}")


def _put_in_place(draft: Path, folder: Path) -> None:
    outgoing = folder.with_name(f".{folder.name}.outgoing")
    shutil.rmtree(outgoing, ignore_errors=True)
    if folder.exists():
        folder.rename(outgoing)
    draft.rename(folder)
    integrity.sync(folder.parent)
    shutil.rmtree(outgoing, ignore_errors=True)


def _versions() -> dict[str, str]:
    return {
        "torch": str(torch.__version__),
        "transformers": str(transformers.__version__),
        "safetensors": str(safetensors.__version__),
    }
