"""Which run folders lie beneath the root: found by walking, asked for by name, never by path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nucleate.store.log import segments
from nucleate.store.manifest import FILE
from nucleate.store.writer import LOG

DEEPEST = 4
"""Folders below the root that are searched for runs."""

MOST = 2000
"""Runs that are listed at most."""

SKIPPED = ("checkpoints", "resume", "tokenizer", "log", "heads")
"""Parts of a run folder, which hold no runs; folders that begin with a dot are left out too."""


@dataclass(frozen=True, slots=True)
class Place:
    """A run folder: its name on the page (its path below the root), and where it lies."""

    key: str
    path: Path


class Shelf:
    """The run folders beneath a root.

    A run is asked for by the key that a walk has found: what a request says is looked up and
    never joined to a path. Links are not followed, so nothing outside the root can be reached.

    Args:
        root: A folder with run folders, or one run folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._found: dict[str, Place] = {}

    def look(self) -> list[Place]:
        """Walk the root again and return its runs by key."""
        found: list[Place] = []
        self._walk(self.root, 0, found)
        found.sort(key=lambda place: place.key)
        self._found = {place.key: place for place in found}
        return found

    def find(self, key: str) -> Place | None:
        """Return a run by its key; a key that is not known yet makes the shelf look again."""
        if key not in self._found:
            self.look()
        place = self._found.get(key)
        return place if place and _is_run(place.path) else None

    def _walk(self, folder: Path, depth: int, found: list[Place]) -> None:
        if _is_run(folder):
            key = folder.relative_to(self.root).as_posix() if depth else folder.name
            found.append(Place(key.encode("utf-8", "backslashreplace").decode(), folder))
            return
        if depth == DEEPEST:
            return
        try:
            names = [
                entry.name
                for entry in os.scandir(folder)
                if entry.is_dir(follow_symlinks=False)
                and not entry.name.startswith(".")
                and entry.name not in SKIPPED
            ]
        except OSError:
            return
        for name in sorted(names):
            if len(found) >= MOST:
                return
            self._walk(folder / name, depth + 1, found)


def _is_run(folder: Path) -> bool:
    """Tell whether a folder holds a run: `run.json`, or a log where that is gone."""
    parts = (folder, folder / FILE, folder / LOG)
    if any(part.is_symlink() for part in parts):
        return False
    return (folder / FILE).is_file() or ((folder / LOG).is_dir() and bool(segments(folder / LOG)))
