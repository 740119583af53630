"""Write a run folder: create it or resume it, then append what happens."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Literal

from nucleate.core import Decision, Event, LedgerEntry, Reading, RunFolderError, Step
from nucleate.core.heads import HeadTable
from nucleate.store import codec
from nucleate.store.files import Lock, unwritable, write_atomic
from nucleate.store.heads import HEADS, pack_heads
from nucleate.store.log import LogWriter
from nucleate.store.manifest import Manifest, read_manifest, write_manifest

LOG, CHECKPOINTS, LOCK = "log", "checkpoints", "run.lock"


class RunWriter:
    """The one writer of a run folder; make it with `create` or `resume`.

    Every method that writes raises `RunFolderError` when the record cannot be stored.

    Attributes:
        path: The run folder.
        checkpoints: The folder for its checkpoints.
        attempt: Which process start this is, 1 for the first.
    """

    def __init__(self, path: Path, lock: Lock, start: Step) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS
        self._lock = lock
        self._log = LogWriter(path / LOG)
        self.checkpoints.mkdir(exist_ok=True)
        self.attempt = self._log.segment
        self._log.append("start", {"attempt": self.attempt, "at": codec.pack_step(start)})

    @classmethod
    def create(cls, path: str | Path, manifest: Manifest) -> RunWriter:
        """Begin a new run.

        Raises:
            RunFolderError: The path holds something already, or cannot be written.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            _refuse_unless_empty(path)
        except OSError as error:
            raise unwritable(path, error) from None
        lock = Lock(path / LOCK)
        try:
            _refuse_unless_empty(path)  # another process may have been faster
            write_manifest(path, manifest)
            return cls(path, lock, Step(0, 0))
        except BaseException:
            lock.release()
            raise

    @classmethod
    def resume(cls, path: str | Path, step: Step) -> RunWriter:
        """Go on with a run from the Step of a checkpoint; records beyond it are superseded.

        Raises:
            RunFolderError: No run to resume, or another process is writing it.
        """
        path = Path(path)
        read_manifest(path)
        lock = Lock(path / LOCK)
        try:
            return cls(path, lock, step)
        except BaseException:
            lock.release()
            raise

    def reading(self, step: Step, reading: Reading) -> None:
        """Record one Reading, with its items."""
        self._log.append("reading", codec.pack_reading(step, reading))

    def heads(self, step: Step, table: HeadTable) -> None:
        """Record what was found out about every head: a side file, then the record that names it.

        A record exists only for a file that was whole; each attempt writes files of its own.
        """
        content = pack_heads(table)
        name = f"attempt{self.attempt}-step{step.step}.safetensors"
        path = self.path / HEADS / name
        try:
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, content)
        except OSError as error:
            raise unwritable(path, error) from None
        sha256 = hashlib.sha256(content).hexdigest()
        self._log.append("heads", {"at": codec.pack_step(step), "file": name, "sha256": sha256})

    def loss(self, step: Step, loss: float, grad_norm: float) -> None:
        """Record the training loss (nats per token) and the norm of the gradient."""
        data = {"at": codec.pack_step(step), "loss": float(loss), "grad_norm": float(grad_norm)}
        self._log.append("loss", data)

    def event(self, event: Event) -> None:
        """Record something that a reader of the run should know."""
        self._log.append("event", codec.pack_event(event))

    def decision(self, decision: Decision) -> None:
        """Record which levers are pulled, and why."""
        self._log.append("decision", codec.pack_decision(decision))

    def scored(self, step: Step, checkpoint: str, part: int, *, failed: bool = False) -> None:
        """Record that a part of a suite was asked of a checkpoint, after its Readings."""
        data = {"at": codec.pack_step(step), "checkpoint": checkpoint, "part": part}
        self._log.append("scored", {**data, "failed": True} if failed else data)

    def ledger(self, entries: list[LedgerEntry]) -> None:
        """Record what the run has cost so far; the latest record holds."""
        self._log.append("ledger", {"entries": [codec.pack_entry(entry) for entry in entries]})

    def finish(self, status: Literal["finished", "interrupted"], step: Step) -> None:
        """Record how and where training ended, and sync."""
        self._log.append("finish", {"status": status, "at": codec.pack_step(step)})
        self._log.sync()

    def sync(self) -> None:
        """Force everything onto the disk; call it with each checkpoint."""
        self._log.sync()

    def close(self) -> None:
        """Sync, close the log and let others write; closing twice does nothing."""
        self._log.close()
        self._lock.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _refuse_unless_empty(path: Path) -> None:
    if any(entry.name != LOCK for entry in path.iterdir()):
        raise RunFolderError(
            "is not empty", where=path, fix="choose another folder, or resume the run in it"
        )
