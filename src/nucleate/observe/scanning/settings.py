"""What decides the numbers of a scan: settings that a run folder may only be gone on with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nucleate.core import Level
from nucleate.core.settings import Settings

SuiteName = Literal["auto", "coherence", "text", "story", "sets", "mechanism", "landscape"]

OPTIONS = {
    "suite": "--suite",
    "items": "--items",
    "context": "--context",
    "levels": "--levels",
    "tokens_per_step": "--tokens-per-step",
}
"""What the command line calls the settings that can be wrong by themselves."""

ITEMS = {"coherence": 100, "text": 160, "story": 160, "mechanism": 120, "landscape": 24}
"""Items of each set where nothing is said: small enough for a whole ladder in a night."""


class ScanSettings(Settings):
    """A scan, as its run folder remembers it.

    Attributes:
        source: Folder, file or ``org/model``.
        revisions: Pattern of the checkpoints to take; empty for all that name a step.
        suite: Which suite to ask; ``auto`` is ``sets`` where item sets are given, ``story`` for
            runs on the story world, ``text`` where texts are given, ``coherence`` otherwise.
            ``mechanism`` asks which heads do what, the geometry of representations, and routers
            where there are experts; ``landscape`` asks learning coefficient, curvature and noise.
        items: Most items of one set; None for the suite's own number.
        context: Longest sequence in tokens; None for 512, or less where the model reads less.
        levels: Only these levels (``coherence`` only); empty for all.
        data: Folder of evaluation data; empty for the one that is found.
        texts: For ``text``, ``mechanism`` and ``landscape``, texts that were held out (the last two
            ask about the story world where there are none); for ``coherence``, texts of the
            training corpus or like them, to count names and n-grams in.
        tokens_per_step: Training tokens of one optimiser step, where nothing says it.
        tokenizer: Folder or file of a tokenizer; empty for the one beside the checkpoints.
        bf16: Compute in bfloat16 instead of float32.
        seed: Seed of every choice of items.
    """

    source: str
    revisions: str = ""
    suite: SuiteName = "auto"
    items: int | None = Field(default=None, ge=8, le=1_000_000)
    context: int | None = Field(default=None, ge=16, le=1_000_000)
    levels: tuple[Level, ...] = ()
    data: str = ""
    texts: tuple[str, ...] = ()
    tokens_per_step: float | None = Field(default=None, gt=0)
    tokenizer: str = ""
    bf16: bool = False
    seed: int = Field(default=0, ge=0)
