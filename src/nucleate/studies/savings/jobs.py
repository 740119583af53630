"""One run of a study: its folder, what it was made with, and what it scored."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nucleate.core import RunFolderError
from nucleate.store import Run, Status
from nucleate.store.files import write_atomic
from nucleate.studies.savings.arms import digest, plain
from nucleate.train.recipe import Recipe

HASH = 8
"""Characters of the recipe's hash in a folder's name."""


@dataclass(frozen=True)
class Job:
    """A run that a study needs.

    Attributes:
        root: The folder that its run folder lies in.
        arm: Whose run it is.
        recipe: What is trained.
        observed: Whether probes are asked.
    """

    root: Path
    arm: str
    recipe: Recipe
    observed: bool

    @property
    def key(self) -> str:
        """Name of the run: arm, length, seed, and the hash of everything that decides it."""
        content = {"recipe": plain(self.recipe), "observed": self.observed}
        hashed = digest(content)[:HASH]
        return f"{self.arm}-{self.recipe.tokens}-seed{self.recipe.seed}-{hashed}"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.root / self.key

    def beside(self, what: str) -> Path:
        """Return the file beside the run folder that holds something about it."""
        return self.root / f"{self.key}.{what}.json"

    @property
    def finished(self) -> bool:
        """Whether the run has been trained to its end."""
        if not (self.folder / "run.json").exists():
            return False
        return Run.open(self.folder).status is Status.FINISHED


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees it whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(path, f"{text}\n".encode())
    except OSError as error:
        raise RunFolderError("cannot be written", where=path, got=error.strerror) from None


def read_json(path: Path) -> Any:
    """Read JSON that `write_json` wrote; None when there is no such file.

    Raises:
        RunFolderError: It is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise RunFolderError("is a file, not a folder", where=path.parent) from None
    except (ValueError, OSError) as error:
        raise RunFolderError(
            "is damaged", where=path, got=str(error), fix="delete it; it is made again"
        ) from None


def train(job: Job, code: str, frozen: str = "") -> float:
    """Train a run to its end, going on where it was interrupted; return the seconds it took.

    Args:
        job: The run.
        code: Hash of the code, recorded beside the run.
        frozen: Hash of the frozen study that it belongs to; empty while tuning.

    Raises:
        UserError: The recipe cannot be trained.
    """
    from nucleate.train.session import run
    from nucleate.train.state import has_state

    begin = time.perf_counter()
    if not job.finished:
        _make_ready()
        going = (job.folder / "run.json").exists() and has_state(job.folder)
        if not going:
            _discard(job)
            note = {"code": code, "frozen": frozen, "recipe": plain(job.recipe)}
            write_json(job.beside("job"), note)
        run(job.recipe, job.folder, resume=going, observed=job.observed, command=("study", job.key))
    return time.perf_counter() - begin


def _discard(job: Job) -> None:
    """Remove a run that never came to a resume point: it begins again, at no cost in honesty."""
    import shutil

    shutil.rmtree(job.folder, ignore_errors=True)


def _make_ready() -> None:
    import torch

    torch.set_num_threads(1)
