"""Tokens that a log keeps as a metric: positions for every other metric."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nucleate.bridges.tables import names
from nucleate.bridges.tables.companions import Trace, looked_up


def recounted(traces: Mapping[str, dict[str, Trace]]) -> str:
    """Place all readings by tokens where every run logged them; return the metric's name.

    Runs of several batch sizes can only be compared over tokens. Nothing is interpolated: unless
    the metric stands beside every reading of every run and grows strictly, positions stay as they
    are, and the tokens are only kept beside them.
    """
    counts = {run: _count(metrics) for run, metrics in traces.items() if metrics}
    complete = bool(counts) and all(counts.values())
    for run, name in counts.items():
        if not name:
            continue
        tokens = traces[run].pop(name)
        for trace in traces[run].values():
            trace.tokens = looked_up(tokens, trace.at)
            grows = bool((np.diff(trace.tokens, prepend=-1.0) > 0).all())  # NaN does not
            complete = complete and grows
    if not complete:
        return ""
    for metrics in traces.values():
        for trace in metrics.values():
            trace.at = trace.tokens
    return next(iter(counts.values()))


def _count(metrics: Mapping[str, Trace]) -> str:
    found = [name for name in metrics if (axis := names.axis_of(name)) and axis[0] == "tokens"]
    return found[0] if found and len(metrics) > 1 else ""
