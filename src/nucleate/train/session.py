"""Start or resume a run from a recipe: `run` is what the command line and Python call."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nucleate.core import Event, RunFolderError, Step
from nucleate.core.settings import validate
from nucleate.models import verify_checkpoint
from nucleate.store import Manifest, Run, RunWriter
from nucleate.train.loop import Listener, Loop
from nucleate.train.recipe import Recipe
from nucleate.train.state import FOLDER, has_state
from nucleate.train.workload import Workload, build_workload


def run(
    recipe: Recipe,
    path: str | Path,
    *,
    resume: bool = False,
    listener: Listener | None = None,
    observed: bool = True,
) -> Path:
    """Train a recipe in a run folder.

    Args:
        recipe: What to do; ignored when resuming, where the run's own recipe counts.
        path: The run folder; must be new, or hold an unfinished run when resuming.
        resume: Go on from the run's last resume point.
        listener: Who watches.
        observed: False trains without probes.

    Returns:
        The run folder.

    Raises:
        UserError: Recipe, corpus or run folder cannot be used.
    """
    path = Path(path)
    if resume:
        return _resume(path, listener, observed)
    workload = build_workload(recipe, cache=path.parent / ".cache")
    manifest = Manifest(
        name=recipe.name,
        recipe=recipe.model_dump(mode="json"),
        environment=environment(workload),
        seeds={"model": recipe.seed, "data": recipe.seed},
        primary={str(level): stem for level, stem in workload.suite.primary.items()},
    )
    with RunWriter.create(path, manifest) as writer:
        for note in workload.suite.notes:
            writer.event(Event(Step(0, 0), "note", note))
        workload.tokenizer.save_pretrained(path / "tokenizer")
        Loop(recipe, workload, writer, listener=listener, observed=observed).run()
    return path


def _resume(path: Path, listener: Listener | None, observed: bool) -> Path:
    manifest = Run.open(path).manifest
    if not has_state(path):
        raise RunFolderError(
            "has no resume point", where=path / FOLDER, fix="train again in a new folder"
        )
    recipe = validate(Recipe, dict(manifest.recipe), where=str(path / "run.json"))
    workload = build_workload(recipe, cache=path.parent / ".cache")
    step = verify_checkpoint(path / FOLDER).step
    with RunWriter.resume(path, step) as writer:
        loop = Loop(recipe, workload, writer, listener=listener, observed=observed)
        loop.resume()
        writer.event(Event(step, "resumed", f"attempt {writer.attempt} goes on from here"))
        loop.run()
    return path


def environment(workload: Workload | None = None) -> dict[str, Any]:
    """Return what a result may depend on: versions, platform, threads, counts of the corpus."""
    packages = ("torch", "transformers", "tokenizers", "numpy", "scipy")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        **{name: version(name) for name in packages},
        **({"corpus": dict(workload.facts)} if workload else {}),
    }
