"""Per-item scores of Readings taken together: a safetensors file, named by a record of the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Reading, RunFolderError
from nucleate.store.files import sha256

ITEMS = "items"
"""Folder of the side files inside a run folder."""


def pack_scores(readings: Sequence[Reading]) -> bytes:
    """Return the items of Readings as the bytes of a safetensors file: float32, by metric."""
    from safetensors.numpy import save

    with np.errstate(over="ignore"):
        arrays = {
            reading.metric: np.asarray(reading.items, dtype=np.float64).astype(np.float32)
            for reading in readings
            if len(reading.items)
        }
    content: bytes = save(arrays)
    return content


def read_scores(path: Path, digest: str | None, metric: str) -> NDArray[np.float32]:
    """Read the items of one metric from a side file; empty where it holds none.

    Args:
        path: The side file.
        digest: Its SHA-256, as recorded; None where that record is lost.
        metric: Name of the metric.

    Raises:
        RunFolderError: The file is missing, or not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFolderError("cannot be read", where=path, got=error.strerror) from None
    if digest is None or sha256(content) != digest:
        raise RunFolderError("is not what was written", where=path, fix="restore it from a copy")
    try:
        found: NDArray[np.float32] = load(content).get(metric, np.empty(0, np.float32))
    except SafetensorError:
        raise RunFolderError("is no safetensors file", where=path) from None
    return found
