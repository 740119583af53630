"""Freeze a study: hash its settings, recipes and code before anything sealed is opened."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nucleate.core import UserError
from nucleate.core.settings import validate
from nucleate.studies.savings.arms import arm_changes, base_recipe, changed, digest
from nucleate.studies.savings.jobs import read_json, write_json
from nucleate.studies.savings.settings import Study

FILE = "frozen.json"
ROOMS = tuple("core store detect models corpora probes observe train studies/savings".split())
"""Rooms whose code may change a number; what only shows numbers is not among them."""
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy")


def code_hash() -> str:
    """Return the SHA-256 of all code that decides results, and of the versions beneath it."""
    import nucleate

    home = Path(nucleate.__file__).parent
    total = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((home / room).rglob("*.py")):
            total.update(str(path.relative_to(home)).encode() + b"\0" + path.read_bytes() + b"\0")
    for name in PACKAGES:
        total.update(f"{name} {version(name)}\n".encode())
    return total.hexdigest()


def content(study: Study, tuned: dict[str, Any]) -> dict[str, Any]:
    """Return everything that a frozen study consists of, as JSON types.

    Args:
        tuned: Chosen values by workload and arm.
    """
    recipes: dict[str, Any] = {}
    for name, workload in study.workloads.items():
        recipes[name] = {}
        for arm, settings in workload.arms.items():
            changes, times = arm_changes(workload, arm, tuned.get(name, {}))
            recipe = changed(base_recipe(workload).model_dump(mode="json"), changes, f"arm {arm}")
            recipes[name][arm] = {"recipe": recipe, "timing": settings.timing, "at": times}
    return {
        "study": study.model_dump(mode="json"),
        "tuned": tuned,
        "recipes": recipes,
        "code": code_hash(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def freeze(folder: Path, study: Study, tuned: dict[str, Any], opened: bool) -> dict[str, Any]:
    """Write the hash and date of the study as it is now; return what was written.

    Args:
        opened: Whether anything sealed has been scored under an earlier freeze.

    Raises:
        UserError: The study has changed after sealed probes were opened.
    """
    before = read_json(folder / FILE)
    now = content(study, tuned)
    if before is not None and before["hash"] == digest(now):
        return dict(before)
    if opened:
        raise UserError(
            f"sealed probes were opened, and then {difference(before, now)} changed",
            where=folder / FILE,
            fix="begin a new study folder: a sealed set is opened once",
        )
    frozen = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "hash": digest(now), **now}
    write_json(folder / FILE, frozen)
    return frozen


def require(folder: Path, study: Study, tuned: dict[str, Any]) -> dict[str, Any]:
    """Return the freeze that holds for the study as it is now.

    Raises:
        UserError: The study was never frozen, or settings, tuned values or code have changed since.
    """
    frozen, now = _frozen(folder), content(study, tuned)
    if digest(now) != frozen["hash"]:
        raise _changed(folder, difference(frozen, now))
    return frozen


def require_settings(folder: Path, study: Study, tuned: dict[str, Any]) -> dict[str, Any]:
    """Return the freeze of a study whose settings and tuned values are the frozen ones.

    The code may be later than what was frozen; keys that it has added count with their defaults.

    Raises:
        UserError: The study was never frozen, or settings or tuned values have changed since.
    """
    frozen = _frozen(folder)
    then = validate(Study, frozen["study"], where=str(folder / FILE)).model_dump(mode="json")
    before = {**frozen, "study": then}
    now = {**frozen, "study": study.model_dump(mode="json"), "tuned": tuned}
    if any(digest(before[key]) != digest(now[key]) for key in ("study", "tuned")):
        raise _changed(folder, difference(before, now))
    return frozen


def _frozen(folder: Path) -> dict[str, Any]:
    frozen = read_json(folder / FILE)
    if frozen is None:
        raise UserError("the study is not frozen", where=folder, fix="run --stage freeze first")
    return dict(frozen)


def _changed(folder: Path, what: str) -> UserError:
    return UserError(
        f"{what} changed since the study was frozen",
        where=folder / FILE,
        fix="put it back, or freeze again as long as nothing sealed was opened",
    )


def difference(frozen: dict[str, Any] | None, now: dict[str, Any]) -> str:
    """Say in a few words which parts of a frozen study are not what they were."""
    names = {
        "study": "the settings",
        "tuned": "the tuned values",
        "code": "the code",
        "packages": "a package",
    }
    differing = [word for key, word in names.items() if (frozen or {}).get(key) != now[key]]
    return " and ".join(differing) or "something"
