"""How much there is to compute: from a number of parameters, an architecture, or a finished run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import CheckpointError, Mark, RunFolderError, UserError, units
from nucleate.core.flops import (
    Architecture,
    count_parameters,
    forward_flops,
    read_architecture,
)
from nucleate.store import Run
from nucleate.studies.cost.figures import Figure

SIX_N_D = "6 · N · D: two FLOPs forward and four backward, per parameter and token"
_LEFT_OUT = (
    "6ND leaves out the attention scores and counts the embedding look-up as a product; with "
    "--config every part is counted by itself."
)

_ONE_COUNT = (
    "MFU must be of the same count: Llama 2 7B reached .39 by 6ND and .45 by parts. Elementwise "
    "work (norms, activations, optimiser) is in neither."
)


@dataclass(frozen=True, slots=True)
class Work:
    """What has to be computed.

    Attributes:
        title: What it is, in a few words.
        flops: All FLOPs; what the price follows from.
        parts: The same by part; empty where no architecture is known.
        six_nd: 6ND beside it; NaN where N is unknown.
        how: How `flops` was counted.
        inputs: What was assumed or read to get there.
        notes: What a reader must know about the count.
    """

    title: str
    flops: float
    parts: Mapping[str, float]
    six_nd: float
    how: str
    inputs: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def from_parameters(params: float, tokens: float) -> Work:
    """Count 6ND.

    Args:
        params: Parameters that one token passes through, embeddings included.
        tokens: Training tokens.
    """
    flops = 6 * _positive(params, "--params") * _positive(tokens, "--tokens")
    inputs = (_parameters(params, "given"), _tokens(tokens, "given"))
    return Work(_title(params, tokens), flops, {}, flops, SIX_N_D, inputs, (_LEFT_OUT,))


def from_config(path: str | Path, tokens: float, context: int | None = None) -> Work:
    """Count every part of an architecture.

    Args:
        path: A ``config.json``, or the model folder that holds one.
        tokens: Training tokens.
        context: Length of the training sequences; the longest that the model takes by default.

    Raises:
        CheckpointError: No such config, or an architecture whose FLOPs are not known.
        UserError: The context is not known.
    """
    file = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    architecture = _read(file)
    length = context or architecture.context
    if length < 1:
        raise UserError("the config names no context", where=file, fix="pass --context")
    _positive(tokens, "--tokens")
    parts = {
        part: 3 * tokens * flops
        for part, flops in forward_flops(architecture, length).items()
        if flops
    }
    total, active = count_parameters(architecture)
    counted = f"{total:,} in all; counted from {file.name}".replace(",", " ")
    source = "given" if context else "the longest that the config allows"
    inputs = (
        _parameters(active, counted),
        _tokens(tokens, "given"),
        Figure("context", "context", length, "tokens", Mark.ASSUMED, source),
    )
    return Work(
        f"{architecture.family}, {_title(active, tokens)}",
        sum(parts.values()),
        parts,
        6 * active * tokens,
        "sum over the parts; backward is twice forward",
        inputs,
        (_ONE_COUNT,),
    )


def from_run(path: str | Path) -> Work:
    """Take the ledger of a run: training, optimiser, probes and whatever else it holds.

    Raises:
        RunFolderError: No run folder, or its ledger is empty.
    """
    run = Run.open(path)
    parts: dict[str, float] = {}
    for entry in run.ledger():
        if entry.flops > 0 and math.isfinite(entry.flops):
            parts[entry.part] = parts.get(entry.part, 0.0) + entry.flops
    if not parts:
        raise RunFolderError(
            "has no FLOPs in its ledger", where=path, fix="the ledger is written when a run ends"
        )
    tokens = run.last.tokens if run.last else 0
    inputs = [Figure("tokens", "tokens", tokens, "tokens", Mark.MEASURED, "counted by the run")]
    params = _params_of(run.path)
    if params:
        inputs.insert(0, _parameters(params, "of the run's last checkpoint"))
    return Work(
        f"run folder {run.manifest.name}",
        sum(parts.values()),
        parts,
        6 * params * tokens if params else math.nan,
        "sum over the ledger of the run",
        tuple(inputs),
        (f"The run is {run.status}; its ledger holds what it had cost when last recorded.",),
    )


def _title(params: float, number: float) -> str:
    return f"{units.tokens(params)} parameters, {units.tokens(number)} tokens"


def _params_of(run: Path) -> float:
    """Return the active parameters of the newest checkpoint, 0 where there is none to read."""
    configs = list(run.glob("checkpoints/*/config.json")) + list(run.glob("resume/config.json"))
    for config in sorted(configs, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            return count_parameters(_read(config))[1]
        except CheckpointError:
            continue
    return 0


def _read(file: Path) -> Architecture:
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError("no such config", where=file, got=error.strerror) from None
    except ValueError:
        raise CheckpointError("is not JSON", where=file) from None
    if not isinstance(content, dict):
        raise CheckpointError("is not the config of a model", where=file)
    return read_architecture(content, where=str(file))


def _positive(value: float, where: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise UserError("must be a positive number", where=where, got=value)
    return value


def _parameters(value: float, why: str) -> Figure:
    return Figure("params", "parameters of one token, N", value, "", Mark.ASSUMED, why)


def _tokens(value: float, why: str) -> Figure:
    return Figure("tokens", "training tokens, D", value, "tokens", Mark.ASSUMED, why)
