"""Look for sealed questions in every training source: an audit by n-grams.

Of everything that a suite asks, the n tokens up to and including the decided one form a window. The
audit looks for each window in every token stream that the study trained on, as far as it was read.
It finds questions that were copied; one that says the same in other words it cannot find.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

LOSS = ("loss", "ngram")
"""Probes that ask for whole rows of held-out text: overlap there is measured, not forbidden."""
SHORTEST = 4
EXAMPLES = 3
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Windows:
    """Windows of one length with whose they are, ready to be looked for.

    Args:
        windows: Each window's owners, by the window.
    """

    windows: Mapping[tuple[int, ...], set[str]]
    found: dict[tuple[int, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._order = list(self.windows)
        self.length = len(self._order[0])
        table = np.array(self._order, dtype=np.int64)
        hashes = rolling(table.ravel(), [self.length])[self.length][:: self.length]
        self._rank = np.argsort(hashes)
        self._hashes = hashes[self._rank]

    def look(self, stream: Tokens, hashes: NDArray[np.uint64]) -> None:
        """Note every window that stands in a stream, with how often.

        Args:
            stream: Tokens, shape ``(n,)``.
            hashes: Of all its windows of this length; see `rolling`.
        """
        if not hashes.size:
            return
        place = np.minimum(np.searchsorted(self._hashes, hashes), self._hashes.size - 1)
        for start in np.flatnonzero(self._hashes[place] == hashes):
            window = tuple(stream[start : start + self.length].tolist())
            if window in self.windows:  # else two windows share a hash
                self.found[window] = self.found.get(window, 0) + 1


def rolling(stream: Tokens, lengths: Iterable[int]) -> dict[int, NDArray[np.uint64]]:
    """Return a hash of every window of a stream, by length, each of shape ``(n − length + 1,)``.

    A longer window's hash goes on from that of the shorter one, so all lengths cost one pass.
    """
    wanted = set(lengths)
    ids = stream.astype(np.uint64) + np.uint64(1)
    total = np.zeros(stream.size, np.uint64)
    found: dict[int, NDArray[np.uint64]] = {}
    for length in range(1, max(wanted, default=0) + 1):
        count = max(stream.size - length + 1, 0)
        total = total[:count] * _FACTOR + ids[length - 1 : length - 1 + count]
        total ^= total >> np.uint64(29)
        if length in wanted:
            found[length] = total.copy()
    return found


def windows_of(suite: Any, length: int) -> list[Windows]:
    """Return the windows of everything a suite asks, by length.

    Args:
        suite: Probes with items that have a `Plan`.
        length: Tokens of a window; what is decided earlier in its text has a shorter one, of
            everything before it, from `SHORTEST` tokens on.
    """
    by_length: dict[int, dict[tuple[int, ...], set[str]]] = {}
    for probe, items in suite.parts:
        for query in getattr(getattr(items, "plan", None), "queries", ()):
            for window in _of_query(query, length):
                owners = by_length.setdefault(len(window), {}).setdefault(window, set())
                owners.add(probe.name)
    return [Windows(windows) for _, windows in sorted(by_length.items())]


def _of_query(query: Any, length: int) -> Iterator[tuple[int, ...]]:
    asked = {position for position, _ in query.asks}
    for position, tokens in query.asks:
        if position < length and position + 1 in asked:
            continue  # the next window holds this one; alone, the first words of a text are common
        start = max(1, position - length + 1)  # what begins the sequence is no part of any text
        window = (*query.ids[start:position], tokens[0])
        if len(window) >= SHORTEST:
            yield window


def audit(
    suite: Any, sources: Iterable[tuple[str, Tokens]], lengths: Sequence[int], tokenizer: Any
) -> dict[str, Any]:
    """Look for everything that a suite asks in what was trained on.

    Args:
        suite: The sealed suite.
        sources: Names and tokens of the streams, piece by piece.
        lengths: Tokens of a window; short ones meet by chance, long ones only by copying.
        tokenizer: Shows the examples as text.

    Returns:
        For each probe and length the number of windows, how many stand in a source, and examples;
        the tokens read of each source; and of the longest length, without what `LOSS` alone asks,
        how many windows were ``asked`` and ``found``, and whether it is ``clean``: there was
        something to look for, somewhere to look, and nothing was found.
    """
    groups = {length: windows_of(suite, length) for length in lengths}
    lengths_of_all = {windows.length for group in groups.values() for windows in group}
    read: dict[str, int] = {}
    for name, tokens in sources:
        read[name] = read.get(name, 0) + int(tokens.size)
        hashes = rolling(tokens, lengths_of_all)
        for group in groups.values():
            for windows in group:
                windows.look(tokens, hashes[windows.length])
    rows = [
        {"length": length, **row}
        for length, group in groups.items()
        for row in _rows(group, tokenizer)
    ]
    judged = [row for row in rows if row["length"] == max(lengths) and row["forbidden"]]
    asked, found = (sum(row[key] for row in judged) for key in ("windows", "found"))
    tokens_read = sum(read.values())
    return {
        "lengths": list(lengths),
        "sources": read,
        "tokens": tokens_read,
        "rows": rows,
        "asked": asked,
        "found": found,
        "clean": asked > 0 and tokens_read > 0 and found == 0,
    }


def _rows(groups: Sequence[Windows], tokenizer: Any) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for group in groups:
        for window, owners in group.windows.items():
            name = ", ".join(sorted(owners))
            none: dict[str, Any] = {"windows": 0, "found": 0, "examples": []}
            forbidden = not owners <= set(LOSS)
            row = rows.setdefault(name, {"probe": name, "forbidden": forbidden, **none})
            row["windows"] += 1
            if window in group.found:
                row["found"] += 1
                if len(row["examples"]) < EXAMPLES:
                    text = tokenizer.decode(list(window))
                    row["examples"].append({"text": text, "times": group.found[window]})
    return [rows[name] for name in sorted(rows)]
