"""One error tree: every mistake a user can make ends as a single line with a fix."""

from __future__ import annotations

from pathlib import Path

MAX_LINE = 190
"""Longest message of a `UserError`, in characters: with "nucleate: " before it, a line of 200."""

SHORTEST_PLACE, LONGEST_PLACE = 32, 80
"""Characters of a path that are shown, from its end: fewer where the rest of the line is long."""


class Words(str):
    """Words of ours as what was got: shown without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


class NucleateError(Exception):
    """Root of all errors raised on purpose; on its own it means a defect of ours."""

    exit_code = 1


class UserError(NucleateError):
    """Input that cannot be used: says where, what, got / expected, and one fix, on one line.

    Args:
        what: What failed, as a short sentence without a full stop.
        where: File (and key or line) that holds the mistake.
        got: The offending value, shortened when it is long.
        expected: What would have been accepted.
        fix: One thing to do.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | Path = "",
        got: object = None,
        expected: str = "",
        fix: str = "",
    ) -> None:
        self.what, self.where, self.got = what, str(where), got
        self.expected, self.fix = expected, fix
        super().__init__(self._line())

    def _line(self) -> str:
        detail = []
        if self.got is not None:
            detail.append(f"got {_clip(_shown(self.got), 48)}")
        if self.expected:
            detail.append(f"expected {_clip(self.expected, 72)}")
        line = self.what + (f" ({', '.join(detail)})" if detail else "")
        shortest = len(line) + min(len(self.where), SHORTEST_PLACE) + len(": ; ")
        fix = f"; {_clip(self.fix, max(MAX_LINE - shortest, MAX_LINE // 2))}" if self.fix else ""
        if self.where:
            room = MAX_LINE - len(line) - len(fix) - 2
            room = min(max(room, SHORTEST_PLACE), LONGEST_PLACE)
            line = f"{_clip(self.where, room, keep_end=True)}: {line}"
        if fix:
            line = _clip(line, MAX_LINE - len(fix)) + fix
        return _clip(_printable(line), MAX_LINE)


class RecipeError(UserError):
    """A recipe (YAML settings) that is malformed or asks for something impossible."""


class DataError(UserError):
    """A corpus, table or item file that is missing, unreadable or of another shape."""


class CheckpointError(UserError):
    """A checkpoint that is incomplete, altered or of another architecture."""


class RunFolderError(UserError):
    """A run folder that is missing, locked or damaged."""


def _shown(value: object) -> str:
    """Return a value as Python writes it, where it can be written at all."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # integers beyond 4,300 digits, lists inside themselves
        return f"a {type(value).__name__} too long to show"


def _printable(text: str) -> str:
    """Write out what would steer a terminal, or cannot be encoded: names come from anywhere."""
    return "".join(
        c if c.isprintable() or c.isspace() else c.encode("unicode_escape").decode() for c in text
    )


def _clip(text: str, limit: int, *, keep_end: bool = False) -> str:
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    return "…" + flat[-(limit - 1) :] if keep_end else flat[: max(limit - 1, 0)] + "…"
