"""Numbers that accompany others under own names: standard errors, item counts, learning rates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from nucleate.bridges.tables import names
from nucleate.bridges.tables.columns import Floats

_STDERR = re.compile(r"^(?P<base>.+?)[_./ -](?:stderr|std_err|std_error|se|sem)(?P<filter>,.*)?$")
_COUNT = re.compile(r"^(?P<base>.+?)[_./ -](?:n|num_items|n_items|n_samples)$")


@dataclass(slots=True)
class Trace:
    """One metric of one run, all arrays of shape ``(readings,)``, ordered by position."""

    at: Floats
    values: Floats
    steps: Floats
    tokens: Floats
    se: Floats
    counts: Floats
    lr: Floats


@dataclass(slots=True)
class Companions:
    """What was recognised beside the metrics of a run."""

    stderr: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    lr: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)


def settle(traces: dict[str, Trace]) -> Companions:
    """Move companions from the metrics of one run to the metrics that they belong to.

    ``acc_stderr`` goes to ``acc``, ``acc_n`` too, a learning rate to all; positions and clocks
    that a log keeps as metrics (``epoch``, ``train/global_step``) are left out.
    """
    found = Companions()
    for name in list(traces):
        for pattern, part, kept in (
            (_STDERR, "se", found.stderr),
            (_COUNT, "counts", found.counts),
        ):
            match = pattern.match(name)
            if match is None:
                continue
            base = match["base"] + (match.groupdict().get("filter") or "")
            if (owner := traces.get(base) or traces.get(match["base"])) is not None:
                setattr(owner, part, looked_up(traces.pop(name), owner.at))
                kept.append(name)
                break
    for name in [name for name in traces if names.is_lr(name)]:
        rates = traces.pop(name)
        if not found.lr:
            for owner in traces.values():
                owner.lr = looked_up(rates, owner.at)
        found.lr.append(name)
    for name in [name for name in traces if names.axis_of(name) or names.is_idle(name)]:
        if len(traces) > 1:
            del traces[name]
            found.idle.append(name)
    return found


def looked_up(trace: Trace, at: Floats) -> Floats:
    """Return the values of a trace at given positions, NaN where it has none."""
    place = np.minimum(np.searchsorted(trace.at, at), len(trace.at) - 1)
    return np.where(trace.at[place] == at, trace.values[place], np.nan)
