"""Find the checkpoints of a series: folders of any usual layout, files of llama2.c, the hub."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nucleate.core import CheckpointError, Step
from nucleate.models.integrity import FILE as MANIFEST
from nucleate.models.integrity import read_manifest
from nucleate.models.series.llama2c import is_llama2c
from nucleate.models.series.position import (
    Position,
    known_tokens_per_step,
    position_of_name,
    position_of_trainer_state,
    without_step,
)
from nucleate.models.series.words import Axis, Form, Member, Series

DEEPEST = 3
"""Folders between the one that is named and a checkpoint, at most."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that was found, before its place in training is settled."""

    name: str
    path: Path
    form: Form
    at: Position
    exact: Step | None = None
    repo: str = ""
    revision: str = ""


def find_series(
    source: str, *, revisions: str = "", tokens_per_step: float | None = None
) -> Series:
    """Find the checkpoints that a user names.

    Args:
        source: A folder of checkpoints, one checkpoint, a run folder, a file of llama2.c or a
            folder of such files, or ``org/model`` on the hub.
        revisions: Pattern of the hub revisions to take (``step*``); all that name a step when
            empty. For folders: pattern of the checkpoints' names.
        tokens_per_step: Training tokens of one optimiser step, where nothing says it.

    Raises:
        CheckpointError: Nothing there, or not one series.
    """
    path = Path(source)
    if not path.exists():
        if not _HUB_NAME.fullmatch(source) or source.startswith("."):
            raise CheckpointError(
                "no such file or folder", where=source, fix="check the path, or name org/model"
            )
        from nucleate.models.series.hub import find_revisions

        revised = find_revisions(source, revisions)
        return settle(source.split("/")[1], source, revised, tokens_per_step=tokens_per_step)
    if path.is_file():
        found, run = [_file(path)], None
    else:
        found, run = _folder(path)
    there, found = found, [each for each in found if _wanted(each, revisions)]
    if not found:
        some = ", ".join(each.name for each in there[:3])
        raise CheckpointError(
            "no checkpoint has such a name", where=source, got=revisions, expected=f"such as {some}"
        )
    homes = _homes(path, run, found)
    return settle(_name(path), source, found, tokens_per_step=tokens_per_step, homes=homes, run=run)


def settle(
    name: str,
    source: str,
    found: Sequence[Found],
    *,
    tokens_per_step: float | None = None,
    homes: Sequence[Path] = (),
    run: Path | None = None,
) -> Series:
    """Give every checkpoint its place in training, and put them in order.

    Raises:
        CheckpointError: Two stand at the same step, or some have no step.
    """
    numbered = [each for each in found if each.at.step is not None or each.exact]
    notes: list[str] = []
    if len(found) > 1 and len(numbered) < len(found):
        nameless = sorted(each.name for each in found if each not in numbered)
        if not numbered:
            raise CheckpointError(
                "these are several models, not one series: no name tells a step",
                where=source,
                got=", ".join(nameless),
                fix="name one of them",
            )
        notes.append(f"left out, their names tell no step: {', '.join(nameless)}")
    chosen = numbered or list(found)
    steps, axis, more = _steps(chosen, source, tokens_per_step)
    members = [
        Member(each.name, each.path, each.form, step, each.repo, each.revision)
        for each, step in zip(chosen, steps, strict=True)
    ]
    members.sort(key=lambda member: (member.step.tokens, member.step.step, member.name))
    _refuse_shared_steps(members, source)
    return Series(name, source, tuple(members), axis, tuple(homes), run, (*notes, *more))


def _steps(
    found: Sequence[Found], source: str, tokens_per_step: float | None
) -> tuple[list[Step], Axis, list[str]]:
    """Return the place of each: exact where saved, else tokens per step, else steps alone."""
    per_step, note = tokens_per_step, ""
    if per_step is None and not all(each.exact or each.at.tokens is not None for each in found):
        per_step, note = _tokens_per_step(found, source)
        if per_step is None:
            if len(found) > 1:
                note = "positions are optimiser steps: tokens per step are not known"
            return [Step(_number(one), _number(one)) for one in found], "step", _said(note)
    return [_place(each, per_step, tokens_per_step) for each in found], "tokens", _said(note)


def _place(found: Found, per_step: float | None, wish: float | None) -> Step:
    if wish is None and found.exact:
        return found.exact
    if wish is None and found.at.tokens is not None:
        return Step(_number(found), found.at.tokens)
    return Step(_number(found), round(_number(found) * (per_step or 0.0)))


def _number(found: Found) -> int:
    return found.exact.step if found.exact else found.at.step or 0


def _said(note: str) -> list[str]:
    return [note] if note else []


def _tokens_per_step(found: Sequence[Found], source: str) -> tuple[float | None, str]:
    """Return the tokens of one step, as some of the checkpoints or the literature tell."""
    saved = [(each.exact.tokens, each.exact.step) for each in found if each.exact]
    counted = [(each.at.tokens, each.at.step) for each in found if each.at.tokens and each.at.step]
    if known := [pair for pair in (*saved, *counted) if pair[1]]:
        tokens, step = max(known)
        return tokens / step, f"{tokens / step:,.0f} tokens per step, as other checkpoints count"
    if published := known_tokens_per_step(source):
        return published, f"{published:,} tokens per step, as published"
    rounded = [
        (each.at.step, each.at.rounded_tokens)
        for each in found
        if each.at.step and each.at.rounded_tokens
    ]
    if rounded:  # names round; the largest number is rounded least
        last, about = max(rounded)
        return about / last, f"{about / last:,.0f} tokens per step, from the last one's name"
    return None, ""


def _refuse_shared_steps(members: Sequence[Member], source: str) -> None:
    for one, other in itertools.pairwise(members):
        if one.step.step == other.step.step:
            raise CheckpointError(
                f"two checkpoints stand at step {one.step.step}, so this is not one series",
                where=source,
                got=f"{one.name}, {other.name}",
                fix="name the folder of one series",
            )


def is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder looks like a checkpoint of `transformers`, whole or not."""
    if not folder.is_dir():
        return False
    names = {entry.name for entry in folder.iterdir()}
    weights = any(
        name.endswith(".safetensors") or name.startswith("pytorch_model") for name in names
    )
    return "config.json" in names or (weights and not any(n.startswith("adapter_") for n in names))


def _folder(path: Path) -> tuple[list[Found], Path | None]:
    if (path / "run.json").is_file():
        found = _below(path / "checkpoints") if (path / "checkpoints").is_dir() else []
        if not found:
            raise CheckpointError(
                "run holds no checkpoints", where=path, fix="train with checkpoints_per_decade"
            )
        return found, path
    own = is_checkpoint(path)
    found = _below(path)
    if own and not any(each.at.step is not None for each in found):
        return [_checkpoint(path, path.resolve().name)], _run_of(path)
    if found:  # a final model beside the series is most often its last checkpoint again
        return found, _run_of(path)
    files = sorted(file for file in path.glob("*.bin") if is_llama2c(file))
    if files:
        return _one_model(path, [_file(file) for file in files]), None
    archives = sorted(path.glob("*.npz"))
    if archives:
        raise _no_model(archives[0])
    raise CheckpointError(
        "folder holds no checkpoint",
        where=path,
        expected="config.json with *.safetensors, here or in folders like step1000, checkpoint-500",
    )


def _one_model(folder: Path, found: list[Found]) -> list[Found]:
    """Refuse files whose names differ in more than the step."""
    models = {without_step(each.name) for each in found}
    if len(models) > 1:
        raise CheckpointError(
            "these are several models, not one series",
            where=folder,
            got=", ".join(each.name for each in found),
            fix="name one of them",
        )
    return found


def _below(path: Path, depth: int = 1, prefix: str = "") -> list[Found]:
    found: list[Found] = []
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
        if folder.name.startswith("."):
            continue
        name = f"{prefix}{folder.name}"
        if is_checkpoint(folder):
            found.append(_checkpoint(folder, name))
        elif depth < DEEPEST:
            found += _below(folder, depth + 1, f"{name}/")
    return found


def _checkpoint(folder: Path, name: str) -> Found:
    at = position_of_name(name)
    state = position_of_trainer_state(folder)
    at = Position(at.step if at.step is not None else state.step, state.tokens, at.rounded_tokens)
    return Found(name, folder, "folder", at, _saved_step(folder, at))


def _saved_step(folder: Path, at: Position) -> Step | None:
    """Return the Step of a manifest, unless the name tells another; judging that comes later."""
    try:
        saved = read_manifest(folder).step if (folder / MANIFEST).is_file() else None
    except CheckpointError:
        return None
    return saved if saved and at.step in (None, saved.step) else None


def _file(path: Path) -> Found:
    if path.suffix == ".npz":
        raise _no_model(path)
    if not is_llama2c(path):
        raise CheckpointError(
            "is no checkpoint", where=path, expected="a folder, or a .bin file of llama2.c"
        )
    return Found(path.stem, path, "llama2c", position_of_name(path.stem))


def _no_model(path: Path) -> CheckpointError:
    return CheckpointError(
        "is an archive of arrays, not a model of transformers",
        where=path,
        expected="a folder with config.json and *.safetensors",
    )


def _wanted(found: Found, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return not pattern or any(
        fnmatchcase(part, pattern) for part in (found.name, *found.name.split("/"))
    )


def _run_of(path: Path) -> Path | None:
    """Return the run folder that a folder of checkpoints, or one of them, belongs to."""
    for parent in (path, *path.resolve().parents[:2]):
        if (parent / "run.json").is_file():
            return parent
    return None


def _homes(path: Path, run: Path | None, found: Sequence[Found]) -> list[Path]:
    homes = [run / "tokenizer"] if run else []
    homes += [each.path for each in reversed(found)]
    if path.is_dir():
        homes.append(path)
    return homes


def _name(path: Path) -> str:
    plain = path.resolve()
    if plain.name == "checkpoints" and plain.parent.name:
        return plain.parent.name
    return plain.stem if plain.is_file() else plain.name
