"""What the modules of the coherence suite are asked for, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.core import Level
from nucleate.probes.registry import Probe


@dataclass(frozen=True, slots=True)
class SuiteRequest:
    """For which models the suite is made, and how much of it.

    Attributes:
        tokenizer: The `transformers` tokenizer that all models of a series share.
        data: Folder of evaluation data; None where there is none.
        items: Most items taken of one set: the dial of the cost.
        context: Longest sequence, in tokens.
        seed: Seed of every choice of items.
        hub: Whether sets that the folder lacks may be downloaded.
        sample: Documents of the training corpus, or like them: names are counted in them, and
            n-grams. Without any, what depends on them is left out or taken from publications.
    """

    tokenizer: Any
    data: Path | None = None
    items: int = 200
    context: int = 512
    seed: int = 0
    hub: bool = False
    sample: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What one module contributes to the suite.

    Attributes:
        parts: Each probe with what it asks; items that several probes share are one object.
        primary: Of each level, the metric stem (name without its measure) that stands for it,
            chosen before anything is measured. At most one module names a level's.
        notes: What a reader of the results should know, one sentence each: sets that are missing,
            traps of those that are there.
    """

    parts: tuple[tuple[Probe, Any], ...] = ()
    primary: Mapping[Level, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def join(contributions: Iterable[Parts]) -> Parts:
    """Put contributions together in order; the first to name a level's metric names it.

    What several of them note is noted once.
    """
    parts: list[tuple[Probe, Any]] = []
    primary: dict[Level, str] = {}
    notes: list[str] = []
    for contribution in contributions:
        parts += contribution.parts
        primary = {**contribution.primary, **primary}
        notes += contribution.notes
    return Parts(tuple(parts), primary, tuple(dict.fromkeys(notes)))
