"""Write a run folder on a disk that may be full: training goes on, the record tells its gaps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from nucleate.core import Decision, Event, LedgerEntry, Reading, RunFolderError, Step, UserError
from nucleate.core.heads import HeadTable
from nucleate.store.writer import RunWriter

GAP = "not recorded"
"""Kind of the event that tells how many records are missing, and why."""


class TolerantWriter:
    """A writer that warns once where something cannot be stored, and goes on trying.

    Once there is space again, an event says how much is missing.

    Args:
        writer: The writer to protect from the disk.
    """

    def __init__(self, writer: RunWriter) -> None:
        self.inner = writer
        self._warned = False
        self._missing = 0
        self._why = ""

    @classmethod
    def around(cls, writer: RunWriter | TolerantWriter) -> TolerantWriter:
        """Return a tolerant writer; the same one where it is one already."""
        return writer if isinstance(writer, TolerantWriter) else cls(writer)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.inner.path

    @property
    def checkpoints(self) -> Path:
        """The folder for its checkpoints."""
        return self.inner.checkpoints

    @property
    def attempt(self) -> int:
        """Which process start this is, 1 for the first."""
        return self.inner.attempt

    def reading(self, step: Step, reading: Reading) -> None:
        """See `RunWriter.reading`."""
        self._try(step, "reading", step, reading)

    def readings(self, step: Step, readings: Sequence[Reading]) -> None:
        """See `RunWriter.readings`."""
        self._try(step, "readings", step, readings)

    def heads(self, step: Step, table: HeadTable) -> None:
        """See `RunWriter.heads`."""
        self._try(step, "heads", step, table)

    def loss(self, step: Step, loss: float, grad_norm: float) -> None:
        """See `RunWriter.loss`."""
        self._try(step, "loss", step, loss, grad_norm)

    def event(self, event: Event) -> None:
        """See `RunWriter.event`."""
        self._try(event.step, "event", event)

    def decision(self, decision: Decision) -> None:
        """See `RunWriter.decision`."""
        self._try(decision.step, "decision", decision)

    def ledger(self, entries: list[LedgerEntry]) -> None:
        """See `RunWriter.ledger`."""
        self._try(None, "ledger", entries)

    def finish(self, status: Literal["finished", "interrupted"], step: Step) -> None:
        """See `RunWriter.finish`."""
        self._try(step, "finish", status, step)

    def sync(self) -> None:
        """See `RunWriter.sync`."""
        self._try(None, "sync")

    def close(self) -> None:
        """See `RunWriter.close`."""
        try:
            self.inner.close()
        except RunFolderError as error:
            self.failed(error)

    def failed(self, error: UserError) -> None:
        """Take note that something could not be stored, a checkpoint for example."""
        self._missing += 1
        self._why = self._why or str(error)
        if not self._warned:
            self._warned = True
            text = f"nucleate: the run folder has gaps from here on, training goes on: {error}"
            warnings.warn(text, stacklevel=3)

    def _try(self, step: Step | None, what: str, *content: Any) -> None:
        try:
            getattr(self.inner, what)(*content)
        except RunFolderError as error:
            self.failed(error)
            return
        if self._missing and step is not None:
            self._confess(step)

    def _confess(self, step: Step) -> None:
        """Record that something is missing, now that records can be written again."""
        text = f"{self._missing} writes failed before this point: {self._why}"
        try:
            self.inner.event(Event(step, GAP, text))
        except RunFolderError:
            return
        self._missing, self._why = 0, ""
