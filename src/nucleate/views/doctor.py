"""What `nucleate doctor` found, printed in a terminal or as JSON: each finding, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nucleate.store.doctor import Examination, State

_MARKS = {State.WHOLE: "✓", State.NOTE: "·", State.DAMAGED: "✗", State.MISSING: "✗"}


def as_data(found: Examination, done: Sequence[str] = ()) -> dict[str, Any]:
    """Return an examination as JSON types."""
    return {
        "run": str(found.path),
        "whole": found.whole,
        "mended": list(done),
        "readings": found.readings,
        "backfilled": found.backfilled,
        "attempts": [
            {
                "number": attempt.number,
                "step": attempt.start.step,
                "tokens": attempt.start.tokens,
                "backfill": attempt.backfill,
                "ranks": found.ranks.get(attempt.number, 0),
            }
            for attempt in found.attempts
        ],
        "findings": [
            {
                "part": finding.part,
                "state": str(finding.state),
                "text": finding.text,
                "fix": finding.fix,
            }
            for finding in found.findings
        ],
    }


def print_examination(found: Examination, done: Sequence[str] = ()) -> None:
    """Print an examination; no name in the folder can steer the screen."""
    for line in lines_of(found, done):
        print(line)


def lines_of(found: Examination, done: Sequence[str] = ()) -> list[str]:
    """Return the lines that `print_examination` prints."""
    lines = [_plain(sentence) for sentence in done]
    for finding in found.findings:
        mark = _MARKS[finding.state]
        lines.append(f"{mark} {_plain(finding.part)}: {_plain(finding.text)}")
        if finding.fix:
            lines.append(f"    → {_plain(finding.fix)}")
    lines.append(f"· {_story(found)}")
    bad = sum(finding.bad for finding in found.findings)
    whole = "Everything is whole."
    lines.append(whole if found.whole else f"{bad} of {len(found.findings)} findings need a hand.")
    return lines


def _story(found: Examination) -> str:
    restarts = [a for a in found.attempts if a.number > 1 and not a.backfill]
    text = f"{found.readings:,} readings in {_number(len(found.attempts), 'attempt')}"
    if restarts:
        text += "; restarted at step " + ", ".join(str(a.start.step) for a in restarts[:6])
        text += f" and {len(restarts) - 6} more" if len(restarts) > 6 else ""
    if found.backfilled:
        text += f"; {found.backfilled:,} back-filled at steps that were passed already"
    ranks = max(found.ranks.values(), default=1)
    return text + (f"; {ranks} ranks wrote" if ranks > 1 else "")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
