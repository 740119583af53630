"""Contradiction: an earlier sentence is denied, and a later one that rests on it stays.

"Tom had a dog. […] The dog barked." becomes "Tom did not have a dog. […] The dog barked." Only the
first verb of a sentence that a small table knows is denied (or a denial taken back), so the words
are the same but for the denial.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.words import MOST_OF_ONE, Fits, content_words, places
from nucleate.corpora.windows import Prose, spread

_CONTEXT = (3, 6)

_AUXILIARIES = ("was", "were", "is", "are", "could", "can", "would", "will", "must", "should")
_PAST = dict(
    pair.split(":")
    for pair in (
        "wanted:want liked:like loved:love knew:know saw:see found:find went:go took:take "
        "gave:give made:make got:get felt:feel ran:run put:put came:come bought:buy ate:eat "
        "lost:lose broke:break opened:open closed:close played:play helped:help "
        "needed:need lived:live remembered:remember forgot:forget believed:believe picked:pick "
        "brought:bring kept:keep"
    ).split()
)
_OWNED = r"had(?= (?:a|an|the|no|many|some|two|three|his|her|their|one)\b)"
_DENIAL = re.compile(
    rf"\b(?P<plain>{'|'.join(_AUXILIARIES)})(?P<denied> not\b|n['’]t\b)?"
    rf"|\b(?P<past>{'|'.join(_PAST)})\b|\b(?P<owned>{_OWNED})",
)
_TROUBLE = re.compile(r"\b(?:never|no|nothing|nobody|none|did|do|does|only|if|or)\b|[\"“”?]", re.I)
"""Sentences with these are left alone: a second denial, or a question, would say something else."""


def deny(sentence: str) -> str | None:
    """Return the sentence with its first verb denied, or undenied; None where that is not safe.

    >>> deny("Tom had a red ball.")
    'Tom did not have a red ball.'
    >>> deny("The lake wasn't cold.")
    'The lake was cold.'
    """
    found = _DENIAL.search(sentence)
    if not found or _TROUBLE.search(sentence) or found.start() == 0:
        return None
    before, after = sentence[: found.start()], sentence[found.end() :]
    if found["plain"]:
        verb = found["plain"] if found["denied"] else f"{found['plain']} not"
        return f"{before}{verb}{after}"
    verb = "have" if found["owned"] else _PAST[found["past"]]
    return f"{before}did not {verb}{after}"


def contradiction_pairs(
    prose: Sequence[Prose], number: int, rng: random.Random, fits: Fits
) -> list[ContextPair]:
    """Make up to `number` pairs: a sentence that shares a content word with the region is denied.

    It is never the last one before the region. Arguments as in `deletion.deletion_pairs`.
    """
    groups = []
    for text in prose:
        own = []
        for run, place in places(text, _CONTEXT[0], rng):
            size = rng.randint(_CONTEXT[0], min(_CONTEXT[1], place))
            if fits(run[place - size : place + 1]):
                pair = _pair(run[place - size : place], run[place], text.document, rng)
                own += [pair] if pair else []
            if len(own) == MOST_OF_ONE:
                break
        groups.append(own)
    return spread(groups, number)


def _pair(context: list[str], region: str, document: int, rng: random.Random) -> ContextPair | None:
    about = content_words(region)
    choices = [
        (place, denied)
        for place, sentence in enumerate(context[:-1])
        if content_words(sentence) & about and (denied := deny(sentence))
    ]
    if not choices:
        return None
    place, denied = rng.choice(choices)
    corrupted = " ".join([*context[:place], denied, *context[place + 1 :]])
    return ContextPair(" ".join(context), corrupted, region, "contradiction", document)
