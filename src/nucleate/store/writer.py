"""Write a run folder: create it or resume it, then append what happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from nucleate.core import Decision, Event, LedgerEntry, Reading, RunFolderError, Step
from nucleate.core.heads import HeadTable
from nucleate.store import codec
from nucleate.store.attempts import await_attempt
from nucleate.store.files import Lock, sha256, unwritable, write_atomic
from nucleate.store.heads import HEADS, pack_heads
from nucleate.store.items import ITEMS, pack_scores
from nucleate.store.log import LogWriter
from nucleate.store.manifest import (
    FORMAT,
    Manifest,
    manifest_record,
    read_manifest,
    write_manifest,
)

LOG, CHECKPOINTS, LOCK = "log", "checkpoints", "run.lock"


class RunWriter:
    """A writer of a run folder; make it with `create`, `resume`, `backfill` or `join`.

    Every method that writes raises `RunFolderError` when the record cannot be stored.

    Attributes:
        path: The run folder.
        checkpoints: The folder for its checkpoints.
        attempt: Which process start this is, 1 for the first.
        rank: Rank of this process, 0 for the one that holds the run.
    """

    def __init__(
        self,
        path: Path,
        lock: Lock | None,
        start: Step,
        *,
        attempt: int | None = None,
        rank: int = 0,
        backfill: bool = False,
    ) -> None:
        self.path = path
        self.rank = rank
        self.checkpoints = path / CHECKPOINTS
        self._lock = lock
        self._log = LogWriter(path / LOG, attempt=attempt, rank=rank)
        self.attempt = self._log.segment
        try:
            self.checkpoints.mkdir(exist_ok=True)
            about = {"attempt": self.attempt, "at": codec.pack_step(start)}
            about |= {"rank": rank} if rank else {}
            about |= {"backfill": True} if backfill else {}
            self._log.append("start", about)
            if backfill:  # twice: were the only one damaged, this would look like a new beginning
                self._log.append("start", about)
        except BaseException as error:
            self._log.close()
            if isinstance(error, OSError):
                raise unwritable(path, error) from None
            raise

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
            content = write_manifest(path, manifest)
            writer = cls(path, lock, Step(0, 0))
            writer._log.append("manifest", manifest_record(content))
            return writer
        except OSError as error:
            lock.release()
            raise unwritable(path, error) from None
        except BaseException:
            lock.release()
            raise

    @classmethod
    def resume(cls, path: str | Path, step: Step) -> RunWriter:
        """Go on with a run from the Step of a checkpoint; records beyond it are superseded.

        Raises:
            RunFolderError: No run to resume, or another process is writing it.
        """
        return cls._reopen(Path(path), step, backfill=False)

    @classmethod
    def backfill(cls, path: str | Path) -> RunWriter:
        """Add Readings at Steps that a run has passed already; nothing is superseded.

        A later attempt that resumes from an earlier Step supersedes them like all others.

        Raises:
            RunFolderError: No such run, or another process is writing it (then `join` it).
        """
        from nucleate.store.run import Run

        return cls._reopen(Path(path), Run.open(path).last or Step(0, 0), backfill=True)

    @classmethod
    def _reopen(cls, path: Path, step: Step, *, backfill: bool) -> RunWriter:
        manifest = read_manifest(path)
        lock = Lock(path / LOCK)
        try:
            writer = cls(path, lock, step, backfill=backfill)
            if manifest.format < FORMAT:  # what follows is of this format
                content = write_manifest(path, replace(manifest, format=FORMAT))
                writer._log.append("manifest", manifest_record(content))
            return writer
        except BaseException:
            lock.release()
            raise

    @classmethod
    def join(
        cls, path: str | Path, rank: int, *, attempt: int | None = None, patience: float = 60.0
    ) -> RunWriter:
        """Write beside the process that holds the run: another rank, or an evaluation on the side.

        Args:
            path: The run folder.
            rank: 1 or more; each process needs its own.
            attempt: The attempt of rank 0 to belong to, as it told; the present one when left out.
            patience: How long to wait for rank 0 to begin, in seconds.

        Raises:
            RunFolderError: Rank 0 did not begin, or another process has this rank.
            ValueError: The rank is 0 or less.
        """
        path = Path(path)
        if rank < 1:
            raise ValueError(f"a rank that joins is 1 or more, not {rank}")
        start = await_attempt(path / LOG, path / LOCK, attempt, patience)
        return cls(path, None, start.start, attempt=start.number, rank=rank)

    def reading(self, step: Step, reading: Reading) -> None:
        """Record one Reading, with its items."""
        self._log.append("reading", codec.pack_reading(step, reading))

    def readings(self, step: Step, readings: Sequence[Reading]) -> None:
        """Record Readings taken together: all of them are stored, or none.

        Their items go into a side file, which is whole before the Readings that name it. Where only
        that file cannot be written, the Readings are stored without items before the error is
        raised. Of several Readings of one metric the last counts.
        """
        if not readings:
            return
        readings = list({reading.metric: reading for reading in readings}.values())
        name, failure = "", None
        if any(len(reading.items) for reading in readings):
            try:
                name = self._side_file(ITEMS, "items", step, pack_scores(readings))
            except RunFolderError as error:
                failure = error
        self._log.append("readings", codec.pack_readings(step, readings, name))
        if failure:
            raise failure

    def heads(self, step: Step, table: HeadTable) -> None:
        """Record what was found out about every head: a side file, then the record that names it.

        A record exists only for a file that was whole; each attempt writes files of its own.
        """
        self._side_file(HEADS, "heads", step, pack_heads(table))

    def vouch(self, name: str) -> None:
        """Record the SHA-256 of a file that belongs to the run, so that damage to it is noticed.

        Args:
            name: Where it lies, relative to the run folder; it must not change any more.
        """
        try:
            digest = sha256((self.path / name).read_bytes())
        except OSError as error:
            raise unwritable(self.path / name, error) from None
        self._log.append("file", {"file": name, "sha256": digest})

    def _side_file(self, folder: str, kind: str, step: Step, content: bytes) -> str:
        """Write a side file that no other attempt, rank or look has; return its name."""
        rank = f"-rank{self.rank}" if self.rank else ""
        stem = f"attempt{self.attempt}{rank}-step{step.step}"
        path = self.path / folder / f"{stem}.safetensors"
        try:
            path.parent.mkdir(exist_ok=True)
            number = 1
            while path.exists():
                number += 1
                path = path.with_name(f"{stem}-{number}.safetensors")
            write_atomic(path, content)
        except OSError as error:
            raise unwritable(path, error) from None
        data = {"at": codec.pack_step(step), "file": path.name, "sha256": sha256(content)}
        self._log.append(kind, data)
        return path.name

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
        try:
            self._log.close()
        finally:
            if self._lock:
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
