"""What a run is: `run.json`, written once when the run is created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store.files import sha256, write_atomic

FORMAT = 2
"""Version of the run folder's layout that this code writes, and the newest that it reads."""
FILE = "run.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _nucleate_version() -> str:
    try:
        return version("nucleate")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Manifest:
    """What a run is.

    Attributes:
        name: Name of the run, for people.
        recipe: The whole resolved recipe, as JSON types.
        environment: Versions and hardware, as JSON types.
        seeds: Each seed by what it is for (``model``, ``data`` …).
        primary: The primary metric of each level, by level.
        created: ISO 8601 time in UTC; now when left out.
        nucleate: Version of nucleate that created the run; the installed one when left out.
        format: Version of the folder's layout.
    """

    name: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    primary: Mapping[str, str] = field(default_factory=dict)
    created: str = field(default_factory=_now)
    nucleate: str = field(default_factory=_nucleate_version)
    format: int = FORMAT


def write_manifest(run: Path, manifest: Manifest) -> bytes:
    """Write `run.json` atomically, and return its bytes."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    content = f"{text}\n".encode("utf-8", "replace")  # names of files may be no text
    write_atomic(run / FILE, content)
    return content


def manifest_record(content: bytes) -> dict[str, Any]:
    """Return the data of the log's record that keeps a copy of `run.json`, and its SHA-256."""
    return {"sha256": sha256(content), "manifest": json.loads(content)}


def manifest_of_record(run: Path, data: Mapping[str, Any]) -> Manifest:
    """Read a manifest from the log's copy of it.

    Raises:
        RunFolderError: It is of a newer format, or no manifest.
    """
    return _from_json(run, data["manifest"])


def read_manifest(run: Path) -> Manifest:
    """Read `run.json`.

    Raises:
        RunFolderError: The folder is missing, is no run folder, comes from a newer format, or
            its `run.json` is damaged.
    """
    if not run.exists():
        raise RunFolderError("no such run folder", where=run, fix="check the path")
    try:
        content = json.loads((run / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(
            "is not a run folder", where=run, expected=f"a folder with {FILE}", fix=_instead(run)
        ) from None
    except (ValueError, RecursionError):
        raise _damaged(run) from None
    except OSError as error:
        raise RunFolderError("cannot be read", where=run / FILE, got=error.strerror) from None
    return _from_json(run, content)


def _instead(folder: Path) -> str:
    """Return what can be done with a folder that is no run, where something can."""
    if (folder / "checkpoints").is_dir():
        return "its checkpoints can be measured again: nucleate scan"
    try:
        inside = sorted(entry.parent for entry in folder.glob(f"*/{FILE}"))
    except OSError:
        return ""
    return f"name a run in it, such as {inside[0]}" if inside else ""


def _from_json(run: Path, content: Any) -> Manifest:
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise _damaged(run)
    if content["format"] > FORMAT:
        raise RunFolderError(
            "was written by a newer nucleate",
            where=run,
            got=content["format"],
            expected=f"format {FORMAT} or older",
            fix="upgrade nucleate",
        )
    known = {item.name: content[item.name] for item in fields(Manifest) if item.name in content}
    mappings = ("recipe", "environment", "seeds", "primary")
    texts = ("name", "created", "nucleate")
    if (
        "name" not in known
        or not all(isinstance(known.get(key, {}), dict) for key in mappings)
        or not all(isinstance(known.get(key, ""), str) for key in texts)
        or not _can_be_written(content)
    ):
        raise _damaged(run)
    return Manifest(**known)


def _can_be_written(content: Any) -> bool:
    """Whether every text is one: JSON may escape one half of a surrogate pair."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _damaged(run: Path) -> RunFolderError:
    return RunFolderError(f"{FILE} is damaged", where=run, fix=f"restore {FILE} from a copy")
