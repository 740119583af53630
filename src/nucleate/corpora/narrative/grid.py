"""Entity grid (Barzilay and Lapata 2008): who plays which part in which sentence of a text.

Rows are sentences, columns are entities, and a cell is S (subject), O (object), X (mentioned
otherwise) or - (absent). A text is described by how often each of the 16 transitions between
neighbouring sentences occurs.

No parser is used. An entity is a name, or a noun that "the", "a" or a possessive stands before at
least once and that two sentences mention. It counts as S where it is mentioned before the first
verb that a list or an ending gives away, as X right after a preposition, and as O otherwise. That
is wrong for passives, inversions and verbs that look like nouns; the error is the same for all
texts that are compared, so differences between texts stand and absolute shares do not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.corpora.narrative.words import FUNCTION_WORDS, WORD, stem
from nucleate.corpora.sentences import split_sentences
from nucleate.corpora.swaps import find_names

ROLES = ("S", "O", "X", "-")

_DETERMINERS = frozenset("the a an his her their my your our its this that".split())
_PREPOSITIONS = frozenset(
    "in on at to from with of for by under over into through near behind beside about around after "
    "before inside outside onto up down off across toward towards between".split()
)
_VERBS = frozenset(
    "is are was were be has have had do does did can could will would must should may might said "
    "saw ran went came got gave took made put knew felt thought told found left began kept held "
    "fell sat stood ate sang flew grew heard met read brought bought caught slept woke built wrote "
    "won lost hid broke let cut hit hurt see sees run runs go goes come comes get gets give gives "
    "take takes make makes say says want wants like likes love loves look looks play plays".split()
)
_VERB_ENDING = re.compile(r"[^\W\d_]{2,}ed$")


def entity_grid(text: str) -> tuple[list[str], list[str]]:
    """Return the grid of a text.

    Returns:
        Entities in order of first mention, and one string of roles for each sentence, as long as
        there are entities.

    Example:
        >>> entity_grid("Tom saw the dog. The dog ran to Tom. Tom sang.")
        (['Tom', 'dog'], ['SO', 'XS', 'S-'])
    """
    sentences = split_sentences(text)
    names = find_names(text)
    words = [[match.group() for match in WORD.finditer(sentence)] for sentence in sentences]
    nouns = Counter(noun for line in words for noun in _nouns(line))
    seen = Counter(key for line in words for key in {_key(word, names) for word in line})
    keys = {key for key in seen if key in names or (nouns[key] and seen[key] >= 2)}
    order = dict.fromkeys(k for line in words for w in line if (k := _key(w, names)) in keys)
    rows = []
    for line in words:
        roles = _roles(line, keys, names)
        rows.append("".join(roles.get(entity, "-") for entity in order))
    return list(order), rows


def transitions(texts: Iterable[str]) -> NDArray[np.float64]:
    """Return the shares of the 16 transitions over some texts, shape ``(16,)``, SS first.

    NaN throughout where no text has two sentences and an entity.
    """
    counts = np.zeros((4, 4))
    place = {role: number for number, role in enumerate(ROLES)}
    for text in texts:
        _, rows = entity_grid(text)
        for before, after in pairwise(rows):
            for one, other in zip(before, after, strict=True):
                counts[place[one], place[other]] += 1
    total = counts.sum()
    return counts.ravel() / total if total else np.full(16, np.nan)


def js_distance(p: ArrayLike, q: ArrayLike) -> float:
    """Return the Jensen–Shannon distance: square root of the divergence in bits, 0 to 1."""
    one, other = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    mean = (one + other) / 2

    def bits(x: NDArray[np.float64]) -> float:
        inside = x > 0
        return float((x[inside] * np.log2(x[inside] / mean[inside])).sum())

    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    return float(np.sqrt(max(0.0, (bits(one) + bits(other)) / 2)))


def _key(word: str, names: set[str]) -> str:
    base = re.sub(r"['’]s$", "", word)
    return base if base in names else stem(base.lower())


def _nouns(line: list[str]) -> Iterable[str]:
    """Yield the stem of the last word of each phrase that a determiner opens, two words at most."""
    for place, word in enumerate(line):
        if word.lower() in _DETERMINERS and place + 1 < len(line):
            nearby = line[place + 1].lower()
            if nearby not in FUNCTION_WORDS and len(nearby) > 2:
                yield stem(nearby)
            after = line[place + 2].lower() if place + 2 < len(line) else ""
            if after and nearby in FUNCTION_WORDS and after not in FUNCTION_WORDS:
                yield stem(after)


def _roles(line: list[str], keys: set[str], names: set[str]) -> dict[str, str]:
    """Return the most prominent role of each entity of a sentence: S before O before X."""
    verb = next((p for p, word in enumerate(line) if p and _is_verb(word)), len(line))
    found: dict[str, str] = {}
    for place, word in enumerate(line):
        key = _key(word, names)
        if key not in keys:
            continue
        before = [w.lower() for w in line[max(0, place - 2) : place]]
        if any(w in _PREPOSITIONS for w in before) and not (place < verb and place == 0):
            role = "X"
        else:
            role = "S" if place < verb else "O"
        if ROLES.index(role) < ROLES.index(found.get(key, "-")):
            found[key] = role
    return found


def _is_verb(word: str) -> bool:
    return word.lower() in _VERBS or bool(_VERB_ENDING.match(word))
