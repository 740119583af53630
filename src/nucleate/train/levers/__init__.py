"""Levers: what can be changed while a run is under way, one file each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nucleate.train.levers.base import Lever, Setting
from nucleate.train.levers.mixture import StoryMixture
from nucleate.train.levers.procedural import Procedural

AnyLever = Annotated[Procedural | StoryMixture, Field(discriminator="kind")]
"""Settings of a lever, told apart by `kind`."""

__all__ = ["AnyLever", "Lever", "Procedural", "Setting", "StoryMixture"]
