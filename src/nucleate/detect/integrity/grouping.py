"""The same reason in several runs is one flag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nucleate.core import Flag
from nucleate.detect.integrity.panel import listed


def together(flags: Sequence[Flag]) -> list[Flag]:
    """Join flags of one kind about the same metrics, or the same positions, of several runs.

    Args:
        flags: Each about one run; the order of first appearance is kept, the first speaks for all.

    >>> both = together([Flag("k", "a", ("r1",), ("m",)), Flag("k", "b", ("r2",), ("m",))])
    >>> [(flag.text, flag.runs) for flag in both]
    [('a; likewise in r2', ('r1', 'r2'))]
    """
    alike: dict[tuple[object, ...], list[Flag]] = {}
    for flag in flags:
        alike.setdefault((flag.kind, flag.metrics or flag.at), []).append(flag)
    joined = []
    for same in alike.values():
        first = same[0]
        if len(same) > 1:
            runs = tuple(run for flag in same for run in flag.runs)
            at = tuple(sorted({position for flag in same for position in flag.at}))
            text = f"{first.text}; likewise in {listed(runs[1:])}"
            first = replace(first, text=text, runs=runs, at=at)
        joined.append(first)
    return joined
