"""Standard output as it may be: of another encoding, closed by its reader, or full."""

from __future__ import annotations

import codecs
import os
import re
import sys
from contextlib import suppress

PLAIN = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "±": "+-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "→": "->",
    "·": "-",
    "✓": "+",
    "✗": "!",
    "“": '"',
    "”": '"',
    "’": "'",
}
"""How the signs that are printed look where only ASCII, or one alphabet, can be written."""

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def speak_plainly() -> None:
    """Let no character stop a command: what the streams cannot encode is written in plain signs."""
    codecs.register_error("nucleate.plain", _replaced)
    for stream in (sys.stdout, sys.stderr):
        encoding = str(getattr(stream, "encoding", "") or "").lower().replace("-", "")
        utf8 = encoding == "utf8" and getattr(stream, "errors", "") != "strict"
        if not utf8 and (change := getattr(stream, "reconfigure", None)) is not None:
            change(errors="nucleate.plain")


def plainly(text: str) -> str:
    """Return text in plain signs: ``10²² ± 3 …`` → ``10^22 +- 3 ...``; ``?`` for what has none."""
    text = re.sub(
        f"[{RAISED}]+", lambda run: "^" + "".join(str(RAISED.index(c)) for c in run[0]), text
    )
    return "".join(PLAIN.get(c, c if c.isascii() else "?") for c in text)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plainly(error.object[error.start : error.end]), error.end


def hand_over() -> None:
    """Write out what is still held back, so that a failure is told while it can be."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def give_up() -> None:
    """Write no more: nobody reads, or there is no room. What is held back goes nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def reader_left(error: BaseException | None) -> bool:
    """Tell whether an error, or what it was raised after, is that nobody reads the output any more.

    The libraries that print turn a closed pipe into an exit with status 1.
    """
    while error is not None:
        if isinstance(error, BrokenPipeError):
            return True
        error = error.__cause__ or error.__context__
    return False
