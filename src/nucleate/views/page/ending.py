"""Why a run stopped, or what is wrong with it, from what its log and folder say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nucleate.core.units import seconds, tokens
from nucleate.views.labels import number
from nucleate.views.page.snapshot import Snapshot

FINE, STOPPED, FAILED = "fine", "stopped", "failed"

TROUBLE = ("warning", "probe failed", "probe disabled", "inexact resume")
"""Kinds of events that may say why a run ended."""

EXPLODED = 3.0
"""Loss at the end over its lowest smoothed value from which on it is said to have exploded."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run stands: its state, a headline, and what supports it.

    Attributes:
        state: ``fine``, ``stopped`` (asked to, or cut off) or ``failed`` (it went wrong).
        headline: One sentence; empty where all is well.
        because: What was seen, most telling first.
        fix: What to do, a command where there is one.
    """

    state: str
    headline: str
    because: tuple[str, ...] = ()
    fix: str = ""


def ending(snapshot: Snapshot, now: float, written: float) -> Ending:
    """Return how a run stands.

    Args:
        snapshot: The run.
        now: Seconds since 1970.
        written: When its log was last written, seconds since 1970.
    """
    because, broken, risen = _loss(snapshot)
    because += _events(snapshot)
    if snapshot.damaged:
        because.append(f"{snapshot.damaged} record(s) of the log are damaged and were left out")
    at = f"{tokens(snapshot.last.tokens)} tokens (step {snapshot.last.step})"
    if snapshot.status == "running":
        if broken:
            return Ending(FAILED, f"Still running, but its loss is gone at {at}.", tuple(because))
        if risen:
            return Ending(STOPPED, "Running, with a loss far above its lowest.", tuple(because))
        if snapshot.damaged:
            return Ending(STOPPED, "Running, with damage in its log.", tuple(because))
        return Ending(FINE, "", tuple(because))
    if broken:
        fix = "Lower the learning rate or clip gradients, and go on from the last good checkpoint."
        return Ending(FAILED, f"Training diverged; the run ends at {at}.", tuple(because), fix)
    if snapshot.status == "finished":
        if risen:
            return Ending(STOPPED, "Finished, with a loss far above its lowest.", tuple(because))
        if snapshot.damaged:
            return Ending(STOPPED, "Finished, with damage in its log.", tuple(because))
        return Ending(FINE, "", tuple(because))
    quiet = f"nothing was written for {_ago(now - written)}"
    resume = f"nucleate train --resume {snapshot.path.name}"
    if "watched" in snapshot.manifest.recipe or "scan" in snapshot.manifest.recipe:
        resume = ""
    if snapshot.ended == "interrupted":
        return Ending(STOPPED, f"Interrupted on request at {at}.", (*because, quiet), resume)
    because.append("the log ends without a word of farewell, and no process holds its lock")
    return Ending(
        FAILED,
        f"Cut off at {at}: killed, pre-empted, or the machine went away.",
        (*because, quiet),
        resume,
    )


def _loss(snapshot: Snapshot) -> tuple[list[str], bool, bool]:
    """Return what the end of the training loss shows: words, whether it is gone, has exploded."""
    if not snapshot.losses:
        return [], False, False
    losses = np.array(snapshot.losses, dtype=np.float64)
    gone = np.flatnonzero(~np.isfinite(losses))
    if gone.size:
        last = gone[-1] == losses.size - 1
        if last:  # since when without a break
            gone = gone[np.flatnonzero(np.diff(gone, prepend=-2) > 1)[-1] :]
        step = snapshot.steps[int(gone[0])]
        place = f"step {step.step} ({tokens(step.tokens)} tokens)"
        said = f"the loss is {losses[gone[0]]} from {place} on"
        if not last:
            said = f"the loss was {losses[gone[0]]} at {place}, and came back"
        if gone[0] > 0:
            before = snapshot.steps[int(gone[0]) - 1]
            rate = f", learning rate {before.lr:.2e}" if before.lr else ""
            said += f"; just before it was {number(float(losses[gone[0] - 1]), 3)}{rate}"
        return [said], bool(last), False
    if losses.size < 40:
        return [], False, False
    window = max(losses.size // 50, 5)
    means = np.convolve(losses, np.ones(window) / window, mode="valid")
    low, end = float(means.min()), float(means[-1])
    if low > 0 and end > EXPLODED * low and end > low + 1.0:
        at = snapshot.steps[int(np.argmin(means)) + window - 1]
        said = (
            f"the loss rose from {number(low, 2)} at {tokens(at.tokens)} tokens "
            f"to {number(end, 2)} at the end"
        )
        return [said], False, True
    return [], False, False


def _events(snapshot: Snapshot) -> list[str]:
    told = [event for event in snapshot.events if event.kind in TROUBLE]
    said = [f"{event.kind} at {tokens(event.step.tokens)} tokens: {event.text}" for event in told]
    return said[::-1][:5]


def _ago(elapsed: float) -> str:
    if not math.isfinite(elapsed) or elapsed < 0:
        return "an unknown time"
    days = elapsed / 86_400
    return f"{days:.0f} days" if days >= 2 else seconds(elapsed)


def ago(elapsed: float) -> str:
    """Say how long ago something was: ``3 min ago``.

    >>> ago(200), ago(20), ago(400_000)
    ('3 min ago', 'just now', '5 days ago')
    """
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "min")):
        if elapsed >= length:
            count = round(elapsed / length)
            return f"{count} {name}{'s' if count > 1 and name != 'min' else ''} ago"
    return "just now"
