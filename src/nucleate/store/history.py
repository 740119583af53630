"""From records to one consistent history: what was done again replaces what it repeats.

An attempt that resumes from step s supersedes what earlier attempts recorded beyond s: the model
that those records describe was thrown away. The log keeps them; the history does not show them.
Where ranks of one attempt record the same thing at the same Step, the lowest rank counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nucleate.core import Decision, Event, LedgerEntry, Step
from nucleate.store import codec
from nucleate.store.columns import Origin, Readings
from nucleate.store.record import Record, number

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process start.

    Attributes:
        number: 1 for the first.
        start: The Step it began or resumed from.
        time: When, in seconds since 1970.
        backfill: Whether it only adds to what is there, and supersedes nothing.
    """

    number: int
    start: Step
    time: float
    backfill: bool = False


class History:
    """What holds after a series of records; feed it with `add`, in order of each segment."""

    def __init__(self) -> None:
        self.readings = Readings()
        self.side: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.manifest: Mapping[str, Any] | None = None
        self.ledger: list[LedgerEntry] = []
        self.last: Step | None = None
        self.ended: str | None = None
        self.discarded_flops = 0.0
        self.malformed = 0
        self.ranks: dict[int, set[int]] = {}
        self._heads: dict[int, tuple[Origin, tuple[Step, str, str]]] = {}
        self._losses: dict[int, tuple[Origin, tuple[Step, float, float]]] = {}
        self._events: list[tuple[tuple[int, float, int], Event]] = []
        self._decisions: list[tuple[tuple[int, float, int], Decision]] = []
        self._attempts: dict[int, Attempt] = {}
        self._kept: dict[int, int] = {}
        self._ceiling: dict[int, int] = {}
        self._clock: dict[Origin, float] = {}
        self._steps: tuple[Any, Step] | None = None

    @property
    def attempts(self) -> list[Attempt]:
        """The process starts, in order."""
        return [attempt for _, attempt in sorted(self._attempts.items())]

    @property
    def heads(self) -> list[tuple[Step, str, str]]:
        """Step, side file and its SHA-256 of each look at the heads, by tokens."""
        return sorted((kept for _, kept in self._heads.values()), key=lambda kept: kept[0].tokens)

    @property
    def losses(self) -> list[tuple[Step, float, float]]:
        """Step, loss and norm of the gradient, by tokens."""
        return sorted((kept for _, kept in self._losses.values()), key=lambda kept: kept[0].tokens)

    @property
    def events(self) -> list[Event]:
        """What happened, in order of writing."""
        self._events.sort(key=lambda kept: kept[0])
        return [event for _, event in self._events]

    @property
    def decisions(self) -> list[Decision]:
        """Which levers were pulled, in order of writing."""
        self._decisions.sort(key=lambda kept: kept[0])
        return [decision for _, decision in self._decisions]

    def add(self, record: Record) -> None:
        """Take in one record; unknown kinds are passed over, malformed ones counted."""
        take = getattr(self, f"_take_{record.kind}", None)
        if take is None:
            return
        try:
            at = self._step(record.data["at"]) if "at" in record.data else None
            if at is not None:
                if record.segment not in self._attempts:
                    self._open_attempt(record, at)
                self.ranks[record.segment].add(record.rank)
                ceiling = self._ceiling.get(record.segment)
                if ceiling is not None and at.step > ceiling:
                    return
            take(at, record)
        except (KeyError, TypeError, ValueError, OverflowError, IndexError, AttributeError):
            self.malformed += 1
            return
        if at and (self.last is None or at.step >= self.last.step):
            self.last = at

    def _step(self, data: Any) -> Step:
        """Read a Step; records that follow each other often share one."""
        if self._steps is None or self._steps[0] != data:
            self._steps = (data, codec.unpack_step(data))
        return self._steps[1]

    def _open_attempt(self, record: Record, at: Step) -> None:
        """Begin an attempt; where its start record is lost, its first Step stands in for it."""
        number = record.segment
        backfill = record.kind == "start" and bool(record.data.get("backfill"))
        latest = all(number > other for other in self._attempts)
        self._attempts[number] = Attempt(number, at, record.time, backfill)
        self.ranks[number] = set()
        if not backfill:
            self._kept[number] = at.step if record.kind == "start" else at.step - 1
            if latest:
                if self.last is not None:
                    self.discarded_flops += max(0.0, self.last.flops - at.flops)
                self.last, self.ended = at, None
            self._forget_beyond(self._kept[number], number)
        self._ceiling = {
            attempt: min(later)
            for attempt in self._attempts
            if (later := [kept for other, kept in self._kept.items() if other > attempt])
        }

    def _forget_beyond(self, step: int, attempt: int) -> None:
        self.readings.forget_beyond(step, attempt)
        for key in _beyond(self._heads, step, attempt):
            del self._heads[key]
        for key in _beyond(self._losses, step, attempt):
            del self._losses[key]
        self._events = [
            (order, event)
            for order, event in self._events
            if event.step.step <= step or order[0] >= attempt
        ]
        self._decisions = [
            (order, each)
            for order, each in self._decisions
            if each.step.step <= step or order[0] >= attempt
        ]

    def _put(self, kept: dict[int, tuple[Origin, _T]], record: Record, step: int, what: _T) -> None:
        origin = _origin(record)
        if step not in kept or kept[step][0] <= origin:
            kept[step] = (origin, what)

    def _when(self, record: Record) -> tuple[int, float, int]:
        """Order a record among those of all ranks; a clock set back disturbs no segment's order."""
        origin = _origin(record)
        time = max(self._clock.get(origin, record.time), record.time)
        self._clock[origin] = time
        return record.segment, time, record.rank

    def _latest(self, record: Record) -> bool:
        """Tell whether a record speaks for the whole run: of rank 0, and of no earlier attempt."""
        return record.rank == 0 and record.segment >= max(self._attempts, default=0)

    def _take_start(self, at: Step, record: Record) -> None:
        """Its attempt is open already."""

    def _take_manifest(self, at: None, record: Record) -> None:
        self.manifest = {**record.data, "manifest": dict(record.data["manifest"])}

    def _take_file(self, at: None, record: Record) -> None:
        self.files[str(record.data["file"])] = str(record.data["sha256"])

    def _take_reading(self, at: Step, record: Record) -> None:
        self.readings.add(_origin(record), codec.batch_of_reading(at, record.data))

    def _take_readings(self, at: Step, record: Record) -> None:
        self.readings.add(_origin(record), codec.batch_of_readings(at, record.data))

    def _take_items(self, at: Step, record: Record) -> None:
        self.side[str(record.data["file"])] = str(record.data["sha256"])

    def _take_heads(self, at: Step, record: Record) -> None:
        found = (at, str(record.data["file"]), str(record.data["sha256"]))
        self._put(self._heads, record, at.step, found)

    def _take_loss(self, at: Step, record: Record) -> None:
        found = (at, number(record.data["loss"]), number(record.data["grad_norm"]))
        self._put(self._losses, record, at.step, found)

    def _take_event(self, at: Step, record: Record) -> None:
        self._events.append((self._when(record), codec.unpack_event(record.data)))

    def _take_decision(self, at: Step, record: Record) -> None:
        self._decisions.append((self._when(record), codec.unpack_decision(record.data)))

    def _take_ledger(self, at: Step | None, record: Record) -> None:
        entries = [codec.unpack_entry(entry) for entry in record.data["entries"]]
        if self._latest(record):
            self.ledger = entries

    def _take_finish(self, at: Step, record: Record) -> None:
        if self._latest(record) and not self._attempts[record.segment].backfill:
            self.ended = str(record.data["status"])


def _origin(record: Record) -> Origin:
    return record.segment, -record.rank


def _beyond(kept: Mapping[int, tuple[Origin, object]], step: int, attempt: int) -> list[int]:
    return [at for at, ((by, _), _) in kept.items() if at > step and by < attempt]
