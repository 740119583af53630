"""Start or resume a run from a recipe: `run` is what the command line and Python call."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nucleate.core import Event, RunFolderError, Step, UserError
from nucleate.core.settings import validate
from nucleate.models import verify_checkpoint
from nucleate.observe.environment import PACKAGES, environment
from nucleate.store import Manifest, Run, RunWriter, Status
from nucleate.train.energy import metered, refuse_missing_codecarbon
from nucleate.train.loop import Listener, Loop, pick_device
from nucleate.train.optimizers import refuse_missing_muon
from nucleate.train.recipe import Recipe
from nucleate.train.state import FOLDER, has_state
from nucleate.train.workload import build_workload


def run(
    recipe: Recipe,
    path: str | Path,
    *,
    resume: bool = False,
    listener: Listener | None = None,
    observed: bool = True,
    command: Sequence[str] = (),
) -> Path:
    """Train a recipe in a run folder.

    Args:
        recipe: What to do; ignored when resuming, where the run's own recipe counts.
        path: The run folder; must be new, or hold an unfinished run when resuming.
        resume: Go on from the run's last resume point.
        listener: Who watches.
        observed: False trains without probes.
        command: What was typed to get here, recorded so that the report can say it.

    Returns:
        The run folder.

    Raises:
        UserError: Recipe, corpus or run folder cannot be used.
        KeyboardInterrupt: Ctrl-C was pressed; the run can be resumed.
    """
    path = Path(path)
    if resume:
        return _resume(path, listener, observed)
    if path.is_file():
        raise RunFolderError("is a file", where=path, expected="a folder that is new or empty")
    if path.exists() and any(path.iterdir()):
        raise RunFolderError(
            "is not empty", where=path, fix="choose another folder, or resume the run in it"
        )
    device = pick_device(recipe.device)  # before anything is created that a mistake would spoil
    refuse_missing_muon(recipe.optimizer)
    refuse_missing_codecarbon(recipe.energy)
    workload = build_workload(recipe, cache=path.parent / ".cache")
    manifest = Manifest(
        name=recipe.name,
        recipe=recipe.model_dump(mode="json"),
        environment={
            **environment(device),
            "corpus": dict(workload.facts),
            **({"command": list(command)} if command else {}),
        },
        seeds={"model": recipe.seed, "data": recipe.seed},
        primary={str(level): stem for level, stem in workload.suite.primary.items()},
    )
    with RunWriter.create(path, manifest) as writer:
        for note in workload.suite.notes:
            writer.event(Event(Step(0, 0), "note", note))
        workload.tokenizer.save_pretrained(path / "tokenizer")
        writer.vouch("tokenizer/tokenizer.json")
        try:
            loop = Loop(recipe, workload, writer, listener=listener, observed=observed)
        except UserError:
            shutil.rmtree(path)  # nothing was trained, and the corrected call needs the name
            raise
        _train(loop, recipe)
    return path


def _train(loop: Loop, recipe: Recipe) -> None:
    """Run a loop to its end.

    Raises:
        RunFolderError: What it arrived at could not be saved.
    """
    with metered(loop.writer, recipe.energy):
        loop.run()
    if loop.unsaved:
        path = loop.writer.path
        raise RunFolderError(
            "was trained to its end, but that could not be saved",
            where=path,
            fix="free disk space, then go on with --resume",
        )


def _resume(path: Path, listener: Listener | None, observed: bool) -> Path:
    before = Run.open(path)
    if before.status is Status.FINISHED:
        raise RunFolderError("has finished", where=path, fix="nothing is left to resume")
    if not has_state(path):
        raise RunFolderError(
            "has no resume point", where=path / FOLDER, fix="train again in a new folder"
        )
    recipe = validate(Recipe, dict(before.manifest.recipe), where=str(path / "run.json"))
    changed = changes(before.manifest.environment, environment(pick_device(recipe.device)))
    refuse_missing_codecarbon(recipe.energy)
    workload = build_workload(recipe, cache=path.parent / ".cache")
    step = verify_checkpoint(path / FOLDER).step
    with RunWriter.resume(path, step) as writer:
        loop = Loop(recipe, workload, writer, listener=listener, observed=observed)
        loop.resume()
        writer.event(Event(step, "resumed", f"attempt {writer.attempt} goes on from here"))
        if changed:
            text = f"not bit-exact from here on: {'; '.join(changed)}"
            writer.event(Event(step, "inexact resume", text))
        _train(loop, recipe)
    return path


def changes(old: Any, new: dict[str, Any]) -> list[str]:
    """Say what differs of the things that decide the last bit: versions, threads, device."""
    keys = ("threads", "device", "platform", *PACKAGES)
    return [f"{key} was {old.get(key)}, is {new[key]}" for key in keys if old.get(key) != new[key]]
