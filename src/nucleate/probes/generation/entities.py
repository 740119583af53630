"""Who appears in a continuation: those that the story knows, or strangers out of nowhere."""

from __future__ import annotations

import re

from nucleate.corpora.swaps import find_names

_INSIDE = re.compile(r"(?<=[^\W_] )([A-Z][^\W\d_]+)|(?<=, )([A-Z][^\W\d_]+)")
_NO_NAMES = frozenset("I Mr Mrs Ms Dr Mom Dad Mommy Daddy Mama Papa God Christmas".split())


def names_in(text: str) -> list[str]:
    """Return every capitalised word inside a sentence, which is a name most of the time."""
    return [
        name for pair in _INSIDE.findall(text) for name in pair if name and name not in _NO_NAMES
    ]


def known_share(prompt: str, continuation: str) -> float:
    """Return the share of name mentions in a continuation that the prompt knows; NaN without any.

    >>> known_share("Tom saw Ann. Then Tom ran.", "So Tom and Bob ran. Then Ann hid.")
    0.6666666666666666
    """
    known = set(re.findall(r"[^\W\d_]+", prompt))
    inside = names_in(continuation)
    first = re.findall(r"(?:^|[.!?]\s+)([A-Z][^\W\d_]+)", continuation)
    # At the beginning of a sentence any word has a capital: only names told elsewhere count there.
    names = set(inside) | set(names_in(prompt)) | find_names(prompt)
    told = inside + [word for word in first if word in names]
    return sum(name in known for name in told) / len(told) if told else float("nan")
