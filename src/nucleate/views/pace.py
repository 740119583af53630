"""How fast training goes, and how long it will still take."""

from __future__ import annotations

import math
import statistics
from collections import deque
from itertools import pairwise

from nucleate.core import Step

RECENT = 50
"""Steps whose median is the speed."""

LEAST = 600.0
"""Seconds, at least, whose mean says how long the rest takes; half of the time from there on."""

APART = 1.0
"""Seconds between the steps that are kept for that mean."""


class Pace:
    """Listens to the steps of one attempt; times are those of the steps."""

    def __init__(self) -> None:
        self._recent: deque[Step] = deque(maxlen=RECENT + 1)
        self._marks: deque[Step] = deque()
        self._begin = math.nan

    def note(self, step: Step) -> None:
        """Take in a step that has just been done."""
        self._recent.append(step)
        if not self._marks:
            self._begin = step.wall
        if not self._marks or step.wall - self._marks[-1].wall >= APART:
            self._marks.append(step)
        window = max(LEAST, 0.5 * (step.wall - self._begin))
        while len(self._marks) > 1 and self._marks[1].wall <= step.wall - window:
            self._marks.popleft()

    @property
    def speed(self) -> float:
        """Tokens per second of a typical step: looks and checkpoints do not count. NaN at first."""
        rates = [
            (b.tokens - a.tokens) / (b.wall - a.wall)
            for a, b in pairwise(self._recent)
            if b.wall > a.wall
        ]
        return statistics.median(rates) if rates else math.nan

    def left(self, total_tokens: int) -> float:
        """Seconds until so many tokens, looks and checkpoints included as so far. NaN at first."""
        if not self._recent:
            return math.nan
        first, last = self._marks[0], self._recent[-1]
        done, spent = last.tokens - first.tokens, last.wall - first.wall
        if done <= 0 or spent <= 0.0:
            return math.nan
        return max(total_tokens - last.tokens, 0) * spent / done
