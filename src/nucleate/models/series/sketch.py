"""A sketch of a checkpoint, from one pass over its bytes: what its integrity is judged by.

The pass holds one piece in memory at a time. The sketch keeps the SHA-256 of every file, the
largest value of every tensor, and a sample of the weights that is taken at the same places in
every checkpoint, so that distances between checkpoints can be told.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import CheckpointError
from nucleate.models.integrity import FILE as MANIFEST
from nucleate.models.integrity import read_manifest, verify_checkpoint
from nucleate.models.series.position import position_of_trainer_state
from nucleate.models.series.weights import PIECE, Weights, open_weights, read_full
from nucleate.models.series.words import Member

SAMPLE = 2**16
"""About how many weights of a checkpoint are kept."""

_VOLATILE = (
    "_name_or_path",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "use_cache",
    "architectures",
)
"""Keys of a config that may differ between checkpoints of one model."""


@dataclass(frozen=True)
class Sketch:
    """What is known of a checkpoint after one pass.

    Attributes:
        name: Of the member.
        digests: SHA-256 of each file of weights, by file name.
        largest: Largest absolute value of each floating-point tensor; NaN where one is no number.
        sample: Weights at fixed places, shape ``(S,)``.
        config: Hash of what makes the model.
        tokenizer: Hash of its ``tokenizer.json``; empty without one.
        says: The step that was saved with it; None when none was.
        certified: Whether a manifest vouches for every byte.
    """

    name: str
    digests: Mapping[str, str]
    largest: Mapping[str, float]
    sample: NDArray[np.float32]
    config: str
    tokenizer: str
    says: int | None = None
    certified: bool = False


def take_sketch(member: Member, weights: Weights | None = None) -> Sketch:
    """Read a checkpoint once, verify it where something vouches for it, and keep a sketch.

    Raises:
        CheckpointError: A file is missing, cut short or not what its manifest says.
    """
    weights = weights or open_weights(member)
    numbers = sum(math.prod(tensor.shape) for tensor in weights.tensors.values())
    stride = max(1, numbers // SAMPLE)
    taker = _Taker(stride)
    digests = {path.name: _read(path, weights, taker) for path in weights.files}
    certified = (member.path / MANIFEST).is_file()
    if certified:
        verify_checkpoint(member.path, known=digests)
    return Sketch(
        name=member.name,
        digests=digests,
        largest=taker.largest,
        sample=taker.sample(),
        config=config_key(weights.config),
        tokenizer=_file_key(member.path / "tokenizer.json"),
        says=_says(member.path),
        certified=certified,
    )


class _Taker:
    """Takes in the tensors of a checkpoint piece by piece."""

    def __init__(self, stride: int) -> None:
        self._stride = stride
        self._phase: dict[str, int] = {}
        self._kept: dict[str, list[NDArray[np.float32]]] = {}
        self.largest: dict[str, float] = {}

    def take(self, name: str, piece: torch.Tensor) -> None:
        if not piece.is_floating_point() or not piece.numel():
            return
        low, high = (float(x) for x in torch.aminmax(piece))
        peak = math.nan if math.isnan(low) or math.isnan(high) else max(abs(low), abs(high))
        before = self.largest.get(name, 0.0)
        self.largest[name] = math.nan if math.isnan(before) else _max(before, peak)
        # Tensors may come in another order in another file: each has places of its own.
        phase = self._phase.get(name, self._stride // 2 % piece.numel())
        kept = piece[phase :: self._stride]
        self._kept.setdefault(name, []).append(kept.float().numpy().copy())
        self._phase[name] = (phase - piece.numel()) % self._stride

    def sample(self) -> NDArray[np.float32]:
        parts = [part for name in sorted(self._kept) for part in self._kept[name]]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _max(one: float, other: float) -> float:
    return math.nan if math.isnan(other) else max(one, other)


def _read(path: Path, weights: Weights, taker: _Taker) -> str:
    """Read a file from its beginning to its end; return its SHA-256."""
    tensors = [tensor for tensor in weights.tensors.values() if tensor.file == path]
    digest = hashlib.sha256()
    if any(tensor.held is not None for tensor in tensors):
        for tensor in tensors:
            for piece in tensor.pieces():
                taker.take(tensor.name, piece)
        tensors = []
    place = 0
    try:
        with path.open("rb", buffering=0) as file:
            for tensor in sorted(tensors, key=lambda one: one.offset):
                for gap in _chunks(file, path, tensor.offset - place):
                    digest.update(gap)
                for chunk in _chunks(file, path, tensor.nbytes):
                    digest.update(chunk)
                    taker.take(tensor.name, torch.frombuffer(chunk, dtype=tensor.dtype))
                place = tensor.offset + tensor.nbytes
            while rest := file.read(PIECE):
                digest.update(rest)
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error.strerror) from None
    return digest.hexdigest()


def _chunks(file: Any, path: Path, count: int) -> Iterator[bytearray]:
    while count > 0:
        buffer = bytearray(min(count, PIECE))
        read_full(file, buffer, path)
        yield buffer
        count -= len(buffer)


def _says(path: Path) -> int | None:
    if (path / MANIFEST).is_file():
        return read_manifest(path).step.step
    return position_of_trainer_state(path).step if path.is_dir() else None


def config_key(config: Mapping[str, Any]) -> str:
    """Return a hash of what makes the model, without what versions and places change."""
    kept = {key: value for key, value in config.items() if key not in _VOLATILE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _file_key(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
