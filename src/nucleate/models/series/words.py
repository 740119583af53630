"""What a series is: checkpoints of one training run in order, each with its place in training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from nucleate.core import Step

Form = Literal["folder", "llama2c"]
Axis = Literal["tokens", "step"]


@dataclass(frozen=True, slots=True)
class Member:
    """One checkpoint of a series.

    Attributes:
        name: What it is called, unique in its series (``step1000``, ``checkpoint-500``).
        path: Its folder or file; for a revision of a hub model, where it lies once it is fetched.
        form: Layout: a folder of `transformers`, or one file of llama2.c.
        step: Where in training it was taken; on the axis ``step`` the tokens are steps.
        repo, revision: Where it is fetched from; empty for what lies on this machine.
    """

    name: str
    path: Path
    form: Form
    step: Step
    repo: str = ""
    revision: str = ""

    @property
    def remote(self) -> bool:
        """Whether it has to be fetched."""
        return bool(self.repo)


@dataclass(frozen=True, slots=True)
class Series:
    """Checkpoints of one training run, in order of training.

    Attributes:
        name: For people.
        source: What the user named.
        members: In order; steps are distinct.
        axis: What positions count: tokens, or optimiser steps where tokens are not known.
        homes: Folders or files in which a tokenizer may lie, the likeliest first.
        run: The run folder that they come from, if it is one of ours.
        notes: What a reader of the results should know, one sentence each.
    """

    name: str
    source: str
    members: tuple[Member, ...]
    axis: Axis
    homes: tuple[Path, ...] = ()
    run: Path | None = None
    notes: tuple[str, ...] = field(default=())

    def without(self, names: set[str]) -> Series:
        """Return the series without some members."""
        return replace(self, members=tuple(m for m in self.members if m.name not in names))
