"""From the names of runs to models and seeds: which runs repeat one training with another seed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SEED = re.compile(
    r"[\s/_\-.,(#]*(?:(?:(?:data|weight|model|init|random|rng)[\s_-])?(?:seeds?|replica|repeat|rep|rerun|trial)[\s=_\-:#]*\d+|#\d+)\)?",
    re.IGNORECASE,
)
_BARE = re.compile(r"\W*(?:s|run|seed)?[\s=_-]*\d+\W*", re.IGNORECASE)
_SIZE = re.compile(
    r"(?<![A-Za-z0-9.])(?P<number>\d+(?:[._]\d+)?)\s?(?P<unit>[kmbt])(?![A-Za-z0-9])", re.IGNORECASE
)
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that repeat one training with different seeds, as far as their names tell.

    Attributes:
        model: What their names share; empty where they are named by their seeds alone.
        family: The same without the size of the model.
        size: Parameters, as the name tells them; NaN where it does not.
        runs: Names of the runs.
    """

    model: str
    family: str
    size: float
    runs: tuple[str, ...]

    @property
    def title(self) -> str:
        """The model in front of people."""
        return self.model or "the runs" if len(self.runs) > 1 else self.model or self.runs[0]


def group_runs(names: Iterable[str]) -> list[Group]:
    """Return the groups, those of most runs first.

    >>> [(g.model, len(g.runs)) for g in group_runs(["14m/seed=1", "14m/seed=2", "70m/seed=1"])]
    [('14m', 2), ('70m', 1)]
    """
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(_model(name), []).append(name)
    groups = [_group(model, tuple(runs)) for model, runs in members.items()]
    return sorted(groups, key=lambda group: -len(group.runs))


def in_words(groups: Sequence[Group]) -> str:
    """Say how runs were grouped, in one sentence; empty for a single run."""
    num = sum(len(group.runs) for group in groups)
    if num < 2:
        return ""
    repeated = [group for group in groups if len(group.runs) > 1]
    if not repeated:
        return f"No two of the {num} runs are named as seeds of one training."
    seeds = sorted({len(group.runs) for group in repeated})
    each = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    if len(groups) == 1:
        return f"The {num} runs are taken as seeds of one training."
    models = (
        f"{len(repeated)} of {len(groups)} models"
        if len(repeated) < len(groups)
        else (f"each of {len(groups)} models")
    )
    verb = "has" if models.startswith(("1 ", "each")) else "have"
    return f"By their names, {models} {verb} {each} runs that differ in the seed."


def _model(name: str) -> str:
    if _BARE.fullmatch(name):
        return ""
    return _SEED.sub("", name).strip(" /_-.,#=") if _SEED.search(name) else name


def _group(model: str, runs: tuple[str, ...]) -> Group:
    match = _SIZE.search(model)
    size = (
        float(match["number"].replace("_", ".")) * _UNITS[match["unit"].lower()]
        if match
        else math.nan
    )
    family = _SIZE.sub("…", model, count=1) if match else model
    return Group(model, family, size, runs)
