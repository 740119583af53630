"""What a run folder already holds of a scan, so that nothing is asked twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.core import LedgerEntry, RunFolderError, Step
from nucleate.store import LogReader, Run
from nucleate.store.writer import LOG

KIND = "scored"
"""Kind of the records that say that a part of a suite was asked of a checkpoint."""

_FREE = ("workers", "device")


@dataclass(frozen=True)
class Done:
    """What earlier attempts have done.

    Attributes:
        parts: Numbers of the parts that were asked, by checkpoint.
        failures: How often each part has failed.
        last: The furthest Step with a reading: resuming from there supersedes nothing.
        ledger: What was spent so far.
        events: Kind and text of what was recorded.
        weights: SHA-256 of the weights that were scored, by checkpoint.
    """

    parts: Mapping[str, set[int]] = field(default_factory=dict)
    failures: Mapping[int, int] = field(default_factory=dict)
    last: Step = field(default_factory=lambda: Step(0, 0))
    ledger: Mapping[str, LedgerEntry] = field(default_factory=dict)
    events: frozenset[tuple[int, str, str]] = frozenset()


def read_done(path: Path) -> Done:
    """Read what a scan's run folder holds."""
    run = Run.open(path)
    parts: dict[str, set[int]] = {}
    failures: dict[int, int] = {}
    last = Step(0, 0)
    for record in LogReader(path / LOG).read():
        if record.kind != KIND:
            continue
        part = int(record.data["part"])
        if record.data.get("failed"):
            failures[part] = failures.get(part, 0) + 1
        else:
            parts.setdefault(str(record.data["checkpoint"]), set()).add(part)
    for step, _ in run.readings():
        last = max(last, step, key=lambda each: each.step)
    return Done(
        parts=parts,
        failures=failures,
        last=last,
        ledger={entry.part: entry for entry in run.ledger()},
        events=frozenset((e.step.step, e.kind, e.text) for e in run.events()),
    )


def refuse_another(path: Path, recipe: Mapping[str, Any]) -> None:
    """Refuse to go on with a run folder that holds anything but this very scan.

    Raises:
        RunFolderError: It does.
    """
    stored = dict(Run.open(path).manifest.recipe)
    if "scan" not in stored:
        raise RunFolderError("holds a run of another kind", where=path, fix="choose another folder")
    for key in recipe:
        if key not in _FREE and stored.get(key) != recipe[key]:
            raise RunFolderError(
                f"holds another scan: {key} is not the same",
                where=path,
                got=_brief(recipe[key]),
                expected=_brief(stored.get(key)),
                fix="choose another folder",
            )


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f"{text[:59]}…"
