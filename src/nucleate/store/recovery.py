"""What the log knows of `run.json`: a copy to read instead, and a checksum to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store.files import sha256
from nucleate.store.log import segments
from nucleate.store.manifest import FILE, Manifest, manifest_of_record, read_manifest
from nucleate.store.reader import LogReader

LOG = "log"
"""Folder of the segments inside a run folder."""


def logged_manifest(run: Path) -> Mapping[str, Any] | None:
    """Return the last copy of `run.json` in the log, with its SHA-256; None where there is none."""
    found = None
    if segments(run / LOG):
        for record in LogReader(run / LOG).read():
            if record.kind == "manifest" and isinstance(record.data.get("manifest"), dict):
                found = record.data
    return found


def find_manifest(run: Path) -> Manifest:
    """Read `run.json`, or the log's copy where it is missing or damaged.

    Raises:
        RunFolderError: There is neither, or the run was written in a newer format.
    """
    try:
        return read_manifest(run)
    except RunFolderError:
        copy = logged_manifest(run) if run.is_dir() else None
        if copy is None or not manifest_altered(run, copy):
            raise
        return manifest_of_record(run, copy)


def manifest_altered(run: Path, copy: Mapping[str, Any] | None) -> bool:
    """Tell whether `run.json` is not what the log says it was; never where the log says nothing."""
    if copy is None:
        return False
    try:
        return sha256((run / FILE).read_bytes()) != str(copy["sha256"])
    except (OSError, KeyError):
        return True
