"""Read the YAML of lm-eval tasks: includes merged, groups resolved, Python code only named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import DataError

Config = dict[str, Any]

MAX_BYTES = 4 * 1024 * 1024
MAX_INCLUDES = 20
_MAX_MEMBERS = 5_000


@dataclass(frozen=True, slots=True)
class Code:
    """A function that a task names with ``!function``.

    Attributes:
        name: ``module.function``.
        file: Where lm-eval would look for the module first.
    """

    name: str
    file: Path


def find_tasks(path: Path) -> list[tuple[Path, Config]]:
    """Return the tasks that a YAML file, a group's YAML file or a folder of them holds.

    Raises:
        DataError: There is no task, a file is no YAML, or a group names what its folder lacks.
    """
    if path.is_dir():
        found = [(file, config) for file, config in _configs(path) if _is_task(config)]
        if not found:
            raise DataError("folder holds no task", where=path, expected="*.yaml with a key task")
        return found
    config = load_config(path)
    if _is_task(config):
        return [(path, config)]
    if "group" in config and config.get("task"):
        return _members(path, config)
    raise DataError("is no task of lm-eval", where=path, expected="keys task, output_type …")


def load_config(path: Path, depth: int = 0) -> Config:
    """Read one YAML file with what it includes; its own keys win.

    Raises:
        DataError: The file is missing, too large, no YAML mapping, or includes itself.
    """
    import yaml

    if depth > MAX_INCLUDES:
        raise DataError("includes go round in a circle", where=path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError("cannot be read", where=path, got=error.strerror) from None
    if len(data) > MAX_BYTES:
        got = f"{len(data):,} bytes"
        raise DataError("is too large", where=path, got=got, expected=f"≤ {MAX_BYTES:,}")
    try:
        config = yaml.load(data, Loader=_loader(yaml, path.parent))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(getattr(error, "problem", None) or error)
        raise DataError(f"is not valid YAML: {problem}", where=path) from None
    if not isinstance(config, dict):
        raise DataError("is not a mapping", where=path, got=type(config).__name__)
    merged: Config = {}
    includes = config.pop("include", [])
    for name in includes if isinstance(includes, list) else [includes]:
        if not isinstance(name, str):
            raise DataError("include names no file", where=path, got=name)
        merged |= load_config(path.parent / name, depth + 1)
    return merged | config


def _loader(yaml: Any, folder: Path) -> Any:
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """SafeLoader that keeps ``!function`` as a name."""

    def code(loader: Any, node: Any) -> Code:
        name = str(loader.construct_scalar(node))
        module = name.rpartition(".")[0].replace(".", "/")
        return Code(name, folder / f"{module}.py")

    Loader.add_constructor("!function", code)
    return Loader


def _is_task(config: Config) -> bool:
    return isinstance(config.get("task"), str) and "group" not in config


def _configs(folder: Path) -> Iterator[tuple[Path, Config]]:
    for file in sorted(folder.rglob("*.yaml"))[:_MAX_MEMBERS]:
        yield file, load_config(file)


def _members(path: Path, group: Config) -> list[tuple[Path, Config]]:
    """Return the tasks of a group, which stand in the folder of its file or below."""
    by_name: dict[str, tuple[Path, Config]] = {}
    for file, config in _configs(path.parent):
        name = config.get("task") if _is_task(config) else config.get("group")
        if file != path and isinstance(name, str):
            by_name.setdefault(name, (file, config))
    found: list[tuple[Path, Config]] = []
    wanted = group["task"] if isinstance(group["task"], list) else [group["task"]]
    for member in wanted:
        name = member.get("task") if isinstance(member, dict) else member
        if not isinstance(name, str) or name not in by_name:
            raise DataError(
                "group names a task that its folder lacks",
                where=path,
                got=name if isinstance(name, str) else member,
                fix="name the files or the folder of its tasks",
            )
        file, config = by_name[name]
        if not _is_task(config):
            raise DataError("group holds a group", where=path, got=name, fix="name its file")
        found.append((file, config | (member if isinstance(member, dict) else {})))
    return found
