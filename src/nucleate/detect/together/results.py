"""What may be said of several metrics or runs together: results, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Figure = float | int | str | bool | tuple[float, ...] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the axis of the source, to be drawn.

    Attributes:
        name: What lies there.
        at, lo, hi: Position with its 95 % interval.
        runs: In how many runs it was seen.
    """

    name: str
    at: float
    lo: float
    hi: float
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One statement.

    Attributes:
        about: The model, or the metrics, that it is about.
        verdict: In a few words.
        note: One sentence with the figures that carry it.
        shown: Whether something was shown, rather than nothing or not enough.
        figures: The numbers, by name.
        marks: Places to be drawn, in order.
    """

    about: str
    verdict: str
    note: str
    shown: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One question that was asked of the whole source.

    Attributes:
        name: ``lead and lag``, ``order``, ``collapse``, ``states``, ``physics``.
        question: The same as a question, for people.
        results: The answers; empty where the question was refused.
        refused: Why it was not asked, in one sentence; empty where it was.
        caveat: What the answers cannot show, in one sentence.
    """

    name: str
    question: str
    results: tuple[Result, ...] = ()
    refused: str = ""
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Together:
    """Everything that several metrics and runs say together.

    Attributes:
        grouping: How the runs were understood: which of them repeat one training with another seed.
        parts: The questions, in the order in which they are shown.
    """

    grouping: str
    parts: tuple[Part, ...]
