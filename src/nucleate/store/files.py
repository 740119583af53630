"""Files that are whole or absent, and a lock that dies with its process."""

from __future__ import annotations

import hashlib
import importlib
import os
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from nucleate.core import RunFolderError

fcntl: ModuleType | None = None
with suppress(ImportError):  # no flock on this platform: runs are then not guarded
    fcntl = importlib.import_module("fcntl")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, nothing between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def unwritable(path: Path, error: OSError) -> RunFolderError:
    """Say that a file or folder cannot be written, and why."""
    return RunFolderError(
        "cannot be written", where=path, got=error.strerror, fix="check space and permissions"
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the platform can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


class Lock:
    """An exclusive lock on a file, released by `release` or by the death of the process.

    Args:
        path: The lock file; it stays behind, only the lock on it counts.
        patience: How long to try, in seconds; a reader may be looking at the lock this instant.

    Raises:
        RunFolderError: Another writer holds the lock, or the file cannot be made.
    """

    def __init__(self, path: Path, patience: float = 0.5) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise unwritable(path, error) from None
        if not hold(self._file, patience):
            os.close(self._file)
            raise RunFolderError(
                "is being written by another process", where=path.parent, fix="stop it first"
            )

    def release(self) -> None:
        """Give the lock back; releasing twice does nothing."""
        if self._file >= 0:
            let_go(self._file)
            self._file = -1


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds the lock."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take(handle, exclusive=False)
    finally:
        os.close(handle)


def hold(handle: int, patience: float = 0.5) -> bool:
    """Take the lock of an open file until it is closed; False where another process has it.

    Args:
        handle: The file.
        patience: How long to try, in seconds; a reader may be looking at the lock this instant.
    """
    give_up = time.monotonic() + patience
    while not _take(handle, exclusive=True):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def let_go(handle: int) -> None:
    """Close a file and give its lock back."""
    if fcntl is not None:  # closing alone would not do where a forked child holds a copy
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _take(handle: int, *, exclusive: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
