"""Levers: what can be changed while a run is under way, one file each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nucleate.train.levers.ablate import Ablate
from nucleate.train.levers.base import Lever, Setting
from nucleate.train.levers.batch import Batch
from nucleate.train.levers.coarsen import Coarsen
from nucleate.train.levers.cooccurrence import CoOccurrence
from nucleate.train.levers.decay import Decay
from nucleate.train.levers.depth import Depth
from nucleate.train.levers.freeze import Freeze
from nucleate.train.levers.mixture import StoryMixture
from nucleate.train.levers.procedural import Procedural
from nucleate.train.levers.reinforce import Reinforce
from nucleate.train.levers.sequence import Sequence
from nucleate.train.levers.upcycle import Upcycle

AnyLever = Annotated[
    Ablate
    | Procedural
    | StoryMixture
    | Coarsen
    | CoOccurrence
    | Depth
    | Sequence
    | Batch
    | Decay
    | Freeze
    | Reinforce
    | Upcycle,
    Field(discriminator="kind"),
]
"""Settings of a lever, told apart by `kind`."""

__all__ = [
    "Ablate",
    "AnyLever",
    "Batch",
    "CoOccurrence",
    "Coarsen",
    "Decay",
    "Depth",
    "Freeze",
    "Lever",
    "Procedural",
    "Reinforce",
    "Sequence",
    "Setting",
    "StoryMixture",
    "Upcycle",
]
