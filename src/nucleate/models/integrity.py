"""Know that a checkpoint is whole and unaltered: a manifest with the SHA-256 of every file.

`manifest.json` is written last, so a folder without it is a save that was cut short. Its first line
holds the SHA-256 of the rest of its own bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nucleate.core import CheckpointError, Step

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class CheckpointManifest:
    """What a checkpoint holds.

    Attributes:
        step: Where in training it was taken.
        architecture: The `model_type` of its config.
        versions: Versions of the packages that wrote it.
        files: Size in bytes and SHA-256 of each file, by name.
    """

    step: Step
    architecture: str
    versions: Mapping[str, str]
    files: Mapping[str, tuple[int, str]]


def write_manifest(
    folder: Path, step: Step, architecture: str, versions: Mapping[str, str]
) -> None:
    """Hash every file of a folder, force all of it onto the disk, and write the manifest last."""
    names = sorted(entry.name for entry in folder.iterdir())
    for name in names:
        sync(folder / name)
    content = {
        "format": FORMAT,
        "step": asdict(step),
        "architecture": architecture,
        "versions": dict(versions),
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
            for name in names
        },
    }
    body = json.dumps(content, indent=1, allow_nan=False).removeprefix("{").encode()
    (folder / FILE).write_bytes(_first_line(body) + body)
    sync(folder / FILE)
    sync(folder)


def read_manifest(folder: Path) -> CheckpointManifest:
    """Read the manifest of a checkpoint without looking at its other files.

    Raises:
        CheckpointError: The folder or its manifest is missing, damaged, or of a newer format.
    """
    if not folder.is_dir():
        raise CheckpointError("no such checkpoint", where=folder, fix="check the path")
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            f"has no {FILE}: the save was cut short", where=folder, fix="use an earlier checkpoint"
        ) from None
    except OSError as error:
        raise CheckpointError("cannot be read", where=folder / FILE, got=error.strerror) from None
    start = len(_first_line(b""))
    if content[:start] != _first_line(content[start:]):
        raise altered(folder / FILE)
    try:
        return _parse(folder, json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise altered(folder / FILE) from None


def verify_checkpoint(
    folder: str | Path, *, known: Mapping[str, str] | None = None
) -> CheckpointManifest:
    """Make sure that a checkpoint is exactly what was saved.

    Args:
        folder: The checkpoint.
        known: SHA-256 of files that have just been read, by name; they are not read again.

    Raises:
        CheckpointError: The folder, its manifest or a file is missing, cut short, altered, or
            a file has been added.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name, (size, digest) in manifest.files.items():
        _verify_file(folder / name, size, digest, (known or {}).get(name))
    added = {entry.name for entry in folder.iterdir()} - manifest.files.keys() - {FILE}
    if added:
        raise CheckpointError(
            "holds a file that was not saved with it",
            where=folder,
            got=min(added),
            fix="move it elsewhere",
        )
    return manifest


def altered(path: Path) -> CheckpointError:
    """Say that a file is not what was saved."""
    return CheckpointError(
        "has been altered since it was saved", where=path, fix="use an earlier checkpoint"
    )


def _verify_file(path: Path, size: int, digest: str, known: str | None = None) -> None:
    try:
        found = path.stat().st_size
        if found != size:
            raise CheckpointError(
                "is cut short" if found < size else "has grown since it was saved",
                where=path,
                got=found,
                expected=f"{size} bytes",
                fix="use an earlier checkpoint",
            )
        if (known or _sha256(path)) != digest:
            raise altered(path)
    except FileNotFoundError:
        raise CheckpointError("is missing", where=path, fix="use an earlier checkpoint") from None
    except OSError as error:
        raise CheckpointError("cannot be read", where=path, got=error.strerror) from None


def _parse(folder: Path, content: dict[str, Any]) -> CheckpointManifest:
    if content["format"] > FORMAT:
        raise CheckpointError(
            "was written by a newer nucleate",
            where=folder,
            got=content["format"],
            expected=f"format {FORMAT} or older",
            fix="upgrade nucleate",
        )
    return CheckpointManifest(
        step=Step(**content["step"]),
        architecture=content["architecture"],
        versions=content["versions"],
        files={name: (file["bytes"], file["sha256"]) for name, file in content["files"].items()},
    )


def _first_line(body: bytes) -> bytes:
    return b'{\n "checksum": "%s",' % hashlib.sha256(body).hexdigest().encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Force a file or the names in a folder onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
