"""From records to one consistent history: what was done again replaces what it repeats.

An attempt that resumes from step s supersedes every earlier record beyond s: the model that those
records describe was thrown away. The log keeps them; the history does not show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nucleate.core import Decision, Event, LedgerEntry, Reading, Step
from nucleate.store import codec
from nucleate.store.record import Record, number


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process start.

    Attributes:
        number: 1 for the first.
        start: The Step it began or resumed from.
        time: When, in seconds since 1970.
    """

    number: int
    start: Step
    time: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A Reading where it was taken; `packed` holds its items, still packed."""

    step: Step
    reading: Reading
    packed: str


class History:
    """What holds after a series of records; feed it with `add`, in order."""

    def __init__(self) -> None:
        self.readings: dict[str, dict[int, Taken]] = {}
        self.heads: dict[int, tuple[Step, str, str]] = {}
        self.losses: dict[int, tuple[Step, float, float]] = {}
        self.events: list[Event] = []
        self.decisions: list[Decision] = []
        self.ledger: list[LedgerEntry] = []
        self.attempts: list[Attempt] = []
        self.last: Step | None = None
        self.ended: str | None = None
        self.discarded_flops = 0.0
        self.malformed = 0
        self._segment = 0

    def add(self, record: Record) -> None:
        """Take in one record; unknown kinds are passed over, malformed ones counted."""
        take = getattr(self, f"_take_{record.kind}", None)
        if take is None:
            return
        try:
            at = codec.unpack_step(record.data["at"]) if "at" in record.data else None
            if record.segment != self._segment:
                self._open_segment(record, at)
            take(at, record.data)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.malformed += 1
            return
        self.last = at or self.last

    def _open_segment(self, record: Record, at: Step | None) -> None:
        """Begin an attempt; where its start record is lost, its first Step stands in for it."""
        if at is None:
            return
        kept = at.step if record.kind == "start" else at.step - 1
        if self.last is not None:
            self.discarded_flops += max(0.0, self.last.flops - at.flops)
        self._forget_beyond(kept)
        self._segment, self.ended = record.segment, None
        self.attempts.append(Attempt(record.segment, at, record.time))

    def _forget_beyond(self, step: int) -> None:
        for metric, taken in list(self.readings.items()):
            kept = {key: value for key, value in taken.items() if key <= step}
            if kept:
                self.readings[metric] = kept
            else:
                del self.readings[metric]
        self.heads = {key: value for key, value in self.heads.items() if key <= step}
        self.losses = {key: value for key, value in self.losses.items() if key <= step}
        self.events = [event for event in self.events if event.step.step <= step]
        self.decisions = [each for each in self.decisions if each.step.step <= step]

    def _take_start(self, at: Step, data: Mapping[str, Any]) -> None:
        self.ended = None

    def _take_reading(self, at: Step, data: Mapping[str, Any]) -> None:
        taken = Taken(at, codec.unpack_reading(data), str(data.get("items", "")))
        self.readings.setdefault(taken.reading.metric, {})[at.step] = taken

    def _take_heads(self, at: Step, data: Mapping[str, Any]) -> None:
        self.heads[at.step] = (at, str(data["file"]), str(data["sha256"]))

    def _take_loss(self, at: Step, data: Mapping[str, Any]) -> None:
        self.losses[at.step] = (at, number(data["loss"]), number(data["grad_norm"]))

    def _take_event(self, at: Step, data: Mapping[str, Any]) -> None:
        self.events.append(codec.unpack_event(data))

    def _take_decision(self, at: Step, data: Mapping[str, Any]) -> None:
        self.decisions.append(codec.unpack_decision(data))

    def _take_ledger(self, at: Step | None, data: Mapping[str, Any]) -> None:
        self.ledger = [codec.unpack_entry(entry) for entry in data["entries"]]

    def _take_finish(self, at: Step, data: Mapping[str, Any]) -> None:
        self.ended = str(data["status"])
