"""The command line inside this process: what it prints, how it ends, what it takes."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from nucleate.cli import main

LONGEST = 200
"""Characters of the one line that a mistake may take."""

PEAK_RESET = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Outcome:
    """What became of one call.

    Attributes:
        seconds: Of processor time, so that a busy machine changes nothing.
        extra: Memory at its peak above what the process held before, in MB; 0 where the system
            does not tell.
    """

    code: int
    out: str
    err: str
    seconds: float
    extra: float

    @property
    def wrong(self) -> str:
        """What is wrong with it as an answer to a malformed input; empty when nothing is."""
        if self.code == 0:
            return f"succeeds, and says {self.err[:300]!r}" if "Traceback" in self.err else ""
        if self.code != 2:
            return f"exit code {self.code}: {self.err[-500:]}"
        lines = self.err.splitlines()
        if len(lines) != 1:
            return f"{len(lines)} lines: {self.err[:500]!r}"
        if not lines[0].startswith("nucleate: ") or len(lines[0]) > LONGEST:
            return f"{len(lines[0])} characters: {lines[0]}"
        return "" if lines[0].isprintable() else f"not printable: {lines[0]!r}"


def nucleate(*arguments: object) -> Outcome:
    """Call the command line with these arguments, here."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)
        for errors in ("strict", "backslashreplace")
    )
    before, begin = _start(), time.process_time()
    arguments_before, sys.argv = sys.argv, ["nucleate", *map(str, arguments)]
    code: object = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = arguments_before
    seconds = time.process_time() - begin
    return Outcome(
        int(code or 0) if isinstance(code, (int, type(None))) else -1,
        *(stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)),
        seconds,
        max(0.0, _megabytes("VmHWM") - before),
    )


def _start() -> float:
    """Forget the peak of the memory, and return what is held now, in MB."""
    with contextlib.suppress(OSError):
        PEAK_RESET.write_text("5")
    return _megabytes("VmRSS")


def _megabytes(name: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
