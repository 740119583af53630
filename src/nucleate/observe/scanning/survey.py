"""Look at a whole series before any of it is trusted; what was looked at once is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import CheckpointError
from nucleate.models.series import Member, Series
from nucleate.models.series.judge import Finding, judge
from nucleate.models.series.sketch import Sketch, take_sketch

FILE = "sketches.npz"
"""Name of the memory in the run folder; it may be deleted at any time."""

Watcher = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        findings: Reasons to distrust checkpoints.
        sketches: Of the checkpoints that could be read, by name.
    """

    findings: tuple[Finding, ...]
    sketches: Mapping[str, Sketch]

    @property
    def skip(self) -> set[str]:
        """Names of the checkpoints that should not be measured."""
        return {name for finding in self.findings for name in finding.skip}

    def certified(self) -> bool:
        """Whether a manifest vouches for every checkpoint that was read."""
        return all(sketch.certified for sketch in self.sketches.values())


def survey(series: Series, memory: Path | None = None, watch: Watcher | None = None) -> Survey:
    """Read every checkpoint that lies on this machine once, and judge them all together.

    Args:
        series: Members that have to be fetched are passed over.
        memory: Where sketches are kept, so that the next start reads only what has changed.
        watch: Called with name, number done and number of all.
    """
    here = [member for member in series.members if not member.remote]
    kept = recall(memory)
    sketches: dict[str, Sketch] = {}
    broken: list[Finding] = []
    stamps = {member.name: _stamp(member.path) for member in here}
    for number, member in enumerate(here):
        known = kept.get(member.name)
        try:
            if known and known[0] == stamps[member.name]:
                sketches[member.name] = known[1]
            else:
                sketches[member.name] = take_sketch(member)
        except CheckpointError as error:
            broken.append(unusable(member, error))
        if watch:
            watch(member.name, number + 1, len(here))
    if memory is not None and here:
        _remember(memory, {name: (stamps[name], sketch) for name, sketch in sketches.items()})
    return Survey((*broken, *judge(here, sketches)), sketches)


def unusable(member: Member, error: CheckpointError) -> Finding:
    """Say that a checkpoint cannot be used."""
    kind = "truncated" if "cut short" in error.what else "damaged"
    text = f"{member.name} cannot be used: {error}"
    return Finding(kind, (member.name,), (member.name,), text)


def _stamp(path: Path) -> str:
    """Return names, sizes and times of what belongs to a checkpoint."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    return json.dumps([[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files])


def add_sketches(series: Series, memory: Path, taken: Mapping[str, Sketch]) -> list[Finding]:
    """Remember sketches of fetched checkpoints, and judge all that were ever taken."""
    places = {member.name: f"{member.repo}@{member.revision}" for member in series.members}
    known = {name: pair for name, pair in recall(memory).items() if name in places}
    known |= {name: (places[name], sketch) for name, sketch in taken.items()}
    _remember(memory, known)
    return judge(series.members, {name: sketch for name, (_, sketch) in known.items()})


def _remember(memory: Path, known: Mapping[str, tuple[str, Sketch]]) -> None:
    arrays: dict[str, Any] = {}
    rows = []
    for number, (name, (stamp, sketch)) in enumerate(known.items()):
        arrays[f"s{number}"] = sketch.sample
        facts = {"digests": dict(sketch.digests), "largest": dict(sketch.largest)}
        more = {"config": sketch.config, "tokenizer": sketch.tokenizer, "says": sketch.says}
        rows.append([name, stamp, {**facts, **more, "certified": sketch.certified}])
    draft = memory.with_name(f".{memory.name}")
    try:
        with draft.open("wb") as file:
            np.savez(file, rows=np.array(json.dumps(rows)), **arrays)
        draft.replace(memory)
    except OSError:
        return  # a memory that cannot be written costs time, nothing else


def recall(memory: Path | None) -> dict[str, tuple[str, Sketch]]:
    """Return the sketches that are remembered, each with what it was taken of."""
    if memory is None or not memory.is_file():
        return {}
    try:
        with np.load(memory, allow_pickle=False) as content:
            rows = json.loads(str(content["rows"]))
            return {
                name: (stamp, Sketch(name=name, sample=content[f"s{number}"], **facts))
                for number, (name, stamp, facts) in enumerate(rows)
            }
    except Exception:  # cut short or altered: it may always be made again
        return {}
