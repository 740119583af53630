"""Read a run folder, while it grows or after; never loads torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, Decision, Event, LedgerEntry, Reading, RunFolderError, Step
from nucleate.core.display import html
from nucleate.store import codec
from nucleate.store.export import write_table
from nucleate.store.files import is_locked
from nucleate.store.heads import HEADS, HeadHistory, read_heads
from nucleate.store.headtable import write_heads
from nucleate.store.history import Attempt, History
from nucleate.store.items import ITEMS, read_scores
from nucleate.store.manifest import Manifest
from nucleate.store.reader import LogReader
from nucleate.store.recovery import find_manifest, manifest_altered
from nucleate.store.writer import LOCK, LOG


class Status(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


class Run:
    """A run folder as it is now; each question reads what was appended since the last one.

    Make it with `Run.open`.

    Attributes:
        path: The run folder.
        manifest: What the run is.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._log = LogReader(path / LOG)
        self._history = History()
        self._guard = threading.Lock()

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run folder.

        Where `run.json` is missing or damaged, the log's copy of it stands in, and `damaged`
        counts it.

        Raises:
            RunFolderError: The folder is missing, is no run folder, is damaged, or was written
                in a newer format.
        """
        path = Path(path)
        return cls(path, find_manifest(path))

    def curves(self) -> dict[str, Curve]:
        """Return the Curve of each metric."""
        with self._now() as history:
            return history.readings.curves()

    def readings(self) -> list[tuple[Step, Reading]]:
        """Return every Reading without its items, by metric, then by tokens."""
        with self._now() as history:
            return list(history.readings)

    def items(self, metric: str, step: int) -> NDArray[np.float32]:
        """Return the per-item scores of a metric at an optimiser step, shape ``(n,)``.

        Empty where the probe keeps none.

        Raises:
            RunFolderError: The run has no such Reading.
        """
        with self._now() as history:
            where = history.readings.items_at(metric, step)
            digest = history.side.get(where) if isinstance(where, str) else None
        if where is None:
            raise RunFolderError(f"no reading of {metric} at step {step}", where=self.path)
        if isinstance(where, dict):
            return codec.unpack_items(where["packed"])
        if not where:
            return np.empty(0, np.float32)
        return read_scores(self.path / ITEMS / Path(where).name, digest, metric)

    def heads(self) -> HeadHistory:
        """Return what was found out about every attention head, at each Step it was looked at.

        Side files that are missing or damaged are left out and counted in `HeadHistory.damaged`.
        """
        with self._now() as history:
            kept = history.heads
        return read_heads(self.path / HEADS, kept)

    @property
    def has_heads(self) -> bool:
        """Whether arrays of all heads were recorded."""
        with self._now() as history:
            return bool(history.heads)

    def losses(self) -> tuple[list[Step], list[float]]:
        """Return where the training loss was recorded, and the losses in nats per token."""
        kept = self._losses()
        return [step for step, _, _ in kept], [loss for _, loss, _ in kept]

    def grad_norms(self) -> tuple[list[Step], list[float]]:
        """Return where the norm of the gradient was recorded, and the norms."""
        kept = self._losses()
        return [step for step, _, _ in kept], [norm for _, _, norm in kept]

    def ledger(self) -> list[LedgerEntry]:
        """Return what the run has cost, as last recorded."""
        with self._now() as history:
            return list(history.ledger)

    def events(self) -> list[Event]:
        """Return what happened, in order of writing."""
        with self._now() as history:
            return history.events

    def decisions(self) -> list[Decision]:
        """Return which levers were pulled, when and why, in order."""
        with self._now() as history:
            return history.decisions

    def attempts(self) -> list[Attempt]:
        """Return the process starts, in order."""
        with self._now() as history:
            return history.attempts

    @property
    def last(self) -> Step | None:
        """The Step of the latest record, None before the first."""
        with self._now() as history:
            return history.last

    @property
    def discarded_flops(self) -> float:
        """Training FLOPs of steps that a later attempt did again."""
        with self._now() as history:
            return history.discarded_flops

    @property
    def status(self) -> Status:
        """Whether a process is writing, has finished, or has left without finishing."""
        locked = is_locked(self.path / LOCK)  # asked before the log: a finish may come between
        with self._now() as history:
            ended = history.ended
        if ended is not None:
            return Status.FINISHED if ended == Status.FINISHED else Status.INTERRUPTED
        return Status.RUNNING if locked else Status.INTERRUPTED

    @property
    def ended(self) -> str | None:
        """What the log itself says of the end: ``finished``, ``interrupted``; None when nothing.

        A run without a word that nobody writes has `status` ``interrupted`` all the same.
        """
        with self._now() as history:
            return history.ended

    @property
    def damaged(self) -> int:
        """Records that cannot be used because they are not what was written, and `run.json`.

        `nucleate doctor` says which, and what to do.
        """
        with self._now() as history:
            altered = manifest_altered(self.path, history.manifest)
            return history.malformed + self._log.damaged + altered

    def export_csv(self, path: str | Path) -> None:
        """Write all Readings as one long table: a row per metric and Step.

        Columns: metric, level, unit, step, tokens, flops, value, se, n, chance; NaN is empty.

        Raises:
            RunFolderError: The file cannot be written.
        """
        write_table(Path(path), self.readings())

    def export_heads(self, path: str | Path) -> None:
        """Write scores of all heads as one long table: Parquet by its suffix, else CSV.

        Columns: step, tokens, layer, head, score, unit, value, se, chance, n, and where a role
        joins the score with a behaviour, ablation (its name), effect and effect_se in nats.

        Raises:
            RunFolderError: The file cannot be written.
            UserError: Parquet is asked for, and pyarrow is not installed.
        """
        write_heads(Path(path), self.heads())

    def _repr_html_(self) -> str | None:
        return html(self)

    def _losses(self) -> list[tuple[Step, float, float]]:
        with self._now() as history:
            return history.losses

    @contextmanager
    def _now(self) -> Iterator[History]:
        """Hold the history still, with everything that has been appended by now."""
        with self._guard:
            for record in self._log.read():
                self._history.add(record)
            yield self._history
