"""What probes are made of: passages with decided words, and pairs that share a critical region."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """A word that its passage decides.

    Attributes:
        kind: What is asked: ``where``, ``holder``, ``agreement``, ``cause``, ``fact``, ``song`` …
        index: Position of the word in the passage.
        answer: The word that stands there.
        foils: Words that would be wrong there.
        condition: What makes it easy or hard (``near``/``far``, ``attractor``, ``rare`` …).
        distance: Words since the answer was last established; -1 where that has no meaning.
    """

    kind: str
    index: int
    answer: str
    foils: tuple[str, ...]
    condition: str = ""
    distance: int = -1


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as words, with its slots in order of position."""

    words: tuple[str, ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class ContextPair:
    """Two contexts, coherent and corrupted, before one identical critical region.

    The score is log p(region | coherent) - log p(region | corrupted): length and frequency of the
    region cancel.

    Attributes:
        condition: How the context was corrupted.
        document: Where the pair comes from; pairs of one document are not independent. -1 means
            from nowhere in particular.
    """

    coherent: str
    corrupted: str
    region: str
    condition: str = ""
    document: int = -1


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """Two whole texts that differ in one respect; the score is log p(good) - log p(bad).

    Attributes:
        condition: The respect in which they differ.
        document: As in `ContextPair`.
    """

    good: str
    bad: str
    condition: str = ""
    document: int = -1


@dataclass(frozen=True, slots=True)
class Choice:
    """One right option among several; each option is a continuation after its own context.

    Attributes:
        candidates: ``(context, continuation)`` of every option. Where only the context differs
            (Winograd schemas), the continuation is the same string in all of them.
        gold: Index of the right one.
        condition: What makes it easy or hard, or where it belongs.
        document: As in `ContextPair`.
    """

    candidates: tuple[tuple[str, str], ...]
    gold: int
    condition: str = ""
    document: int = -1


@dataclass(frozen=True, slots=True)
class Cloze:
    """A text with one right continuation, which a model may hit greedily or not.

    Attributes:
        condition: As in `Choice`.
        document: As in `ContextPair`.
    """

    context: str
    continuation: str
    condition: str = ""
    document: int = -1
