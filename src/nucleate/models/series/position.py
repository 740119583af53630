"""Where in training a checkpoint was taken, from its name and from what lies beside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHIA_TOKENS_PER_STEP = 2_097_152
"""1,024 sequences of 2,048 tokens: Biderman et al. (2023), arXiv:2304.01373, section 2.2."""

_STEP = re.compile(
    r"(?:^|[^a-z0-9])(?:global[-_]?step|checkpoint|ckpt|iteration|iter|step)s?[-_]?(\d+)([km]?)"
    r"(?![0-9a-z])",
    re.IGNORECASE,
)
_TOKENS = re.compile(r"tokens?[-_]?(\d+(?:\.\d+)?)([KMBT])(?![0-9a-z])", re.IGNORECASE)
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


@dataclass(frozen=True, slots=True)
class Position:
    """What is known of a place in training; None where it is not known.

    Attributes:
        step: Optimiser steps.
        tokens: Training tokens, exact.
        rounded_tokens: Training tokens as a name says them (``tokens4B``), rounded.
    """

    step: int | None = None
    tokens: int | None = None
    rounded_tokens: float | None = None


def position_of_name(name: str) -> Position:
    """Read a position from a name or path, its last part first.

    >>> position_of_name("checkpoint-500").step
    500
    >>> position_of_name("step1000-tokens4B").rounded_tokens
    4000000000.0
    """
    for part in reversed(name.split("/")):
        if part.isdecimal():
            return Position(step=int(part))
        if found := list(_STEP.finditer(part)):
            digits, unit = found[-1].groups()
            said = _TOKENS.search(part)
            rounded = float(said[1]) * _SCALE[said[2].lower()] if said else None
            return Position(int(digits) * _SCALE[unit.lower()], rounded_tokens=rounded)
    return Position()


def without_step(name: str) -> str:
    """Return a name without the step that it tells: what the names of one series share."""
    return _STEP.sub("", name)


def position_of_trainer_state(folder: Path) -> Position:
    """Read ``trainer_state.json`` of the Hugging Face Trainer, if it is there."""
    try:
        state = json.loads((folder / "trainer_state.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return Position()
    if not isinstance(state, dict):
        return Position()
    step, seen = _count(state.get("global_step")), _count(state.get("num_input_tokens_seen"))
    return Position(step, seen or None)  # 0 means that nobody counted


def known_tokens_per_step(source: str) -> int | None:
    """Return the tokens of one optimiser step of published series, None for others."""
    if re.fullmatch(r"EleutherAI/pythia-[\w.-]+", source):
        return PYTHIA_TOKENS_PER_STEP
    return None


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and value >= 0 else None
