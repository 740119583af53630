"""The plain facts of a run for its report: costs, events, settings, how to run it again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.core import Event, LedgerEntry, Mark

if TYPE_CHECKING:
    from nucleate.store import Manifest

ROUTINE = ("checkpoint", "reading skipped")
"""Kinds of events that are only counted."""

ELSEWHERE = ("decision",)
"""Kinds of events that the report tells of in a section of their own."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The ledger with its sums.

    Attributes:
        parts: ``(entry, share of all FLOPs)``, the largest first.
        flops: Sum over the parts.
        seconds: Sum over the parts whose time is known; NaN when none is.
        probe_share: Share of the FLOPs spent on probes; NaN without a probe entry.
        probe_time: The same of the time.
        marks: The marks that occur.
        energy: Entries about energy and carbon, which have no FLOPs.
    """

    parts: tuple[tuple[LedgerEntry, float], ...]
    flops: float
    seconds: float
    probe_share: float
    probe_time: float
    marks: tuple[Mark, ...]
    energy: tuple[LedgerEntry, ...] = ()


def costs(ledger: Sequence[LedgerEntry]) -> Costs:
    """Add up a ledger."""
    energy = tuple(entry for entry in ledger if entry.is_energy)
    ledger = [entry for entry in ledger if not entry.is_energy]
    flops = sum(entry.flops for entry in ledger if math.isfinite(entry.flops))
    times = [entry.seconds for entry in ledger if math.isfinite(entry.seconds)]
    probes = [entry for entry in ledger if entry.part.startswith("probe")]
    ordered = sorted(ledger, key=lambda entry: (-entry.flops, entry.part))
    return Costs(
        parts=tuple((entry, entry.flops / flops if flops else 0.0) for entry in ordered),
        flops=flops,
        seconds=sum(times) if times else math.nan,
        probe_share=sum(entry.flops for entry in probes) / flops if probes and flops else math.nan,
        probe_time=sum(entry.seconds for entry in probes) / sum(times)
        if probes and times and sum(times)
        else math.nan,
        marks=tuple(
            mark for mark in Mark if any(entry.mark is mark and entry.flops for entry in ledger)
        ),
        energy=energy,
    )


@dataclass(frozen=True, slots=True)
class Happenings:
    """Events to be told one by one, and routine ones to be counted: kind → how many, last."""

    told: tuple[Event, ...]
    counted: Mapping[str, tuple[int, Event]]


def happenings(events: Sequence[Event]) -> Happenings:
    """Separate what a reader should know from routine."""
    counted: dict[str, tuple[int, Event]] = {}
    for event in events:
        if event.kind in ROUTINE:
            counted[event.kind] = (counted.get(event.kind, (0, event))[0] + 1, event)
    told = tuple(event for event in events if event.kind not in (*ROUTINE, *ELSEWHERE))
    return Happenings(told, counted)


def settings_text(values: Mapping[str, Any]) -> str:
    """Write settings as YAML in the order they came in, lists on one line."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Block mappings, flow lists, no anchors: the strict reader refuses anchors."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, True)
    )
    if not values:
        return ""
    return str(
        yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=72)
    ).strip()


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to run it again: one command, and what it needs."""

    words: str
    command: str


def reproduce(manifest: Manifest) -> Reproduction:
    """Return the recorded command, else the one that trains from the recipe shown."""
    if "watched" in manifest.recipe:
        words = (
            "This run was trained by a program of its own; only what was observed is known here."
        )
        return Reproduction(words, "")
    recorded = manifest.environment.get("command")
    if isinstance(recorded, (list, tuple)):
        recorded = shlex.join(str(part) for part in recorded)
    version = f"nucleate {manifest.nucleate}"
    if isinstance(recorded, str) and recorded.strip():
        words = f"With {version} and the environment below, this is the command of this run:"
        return Reproduction(words, recorded)
    if "scan" in manifest.recipe:
        words = f"With {version}, a call of nucleate.scan with the settings below does it again."
        return Reproduction(words, "")
    words = f"Save the recipe below as recipe.yaml; then, with {version} and the same environment:"
    return Reproduction(words, "nucleate train recipe.yaml")


def created(moment: str) -> str:
    """Write an ISO 8601 time for people; anything else is returned as it is."""
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return moment
