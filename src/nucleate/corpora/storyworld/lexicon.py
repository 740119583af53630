"""The words of the story world, by the part they play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAMES = (
    "anna tom lily max nora ben rosa finn ida leo mara otto vera hugo elsa noah ruth "
    "carl june omar tess ivan gwen saul"
).split()
PLACES = ("cave mill barn tower harbor garden forest market chapel bridge meadow cellar").split()
THINGS = "lantern key drum map rope coin bell flute shell ribbon kite spoon".split()
COLOURS = "red blue green white black yellow brown grey".split()
GOODS = "honey salt wool apples candles boots cheese silver pepper books glass nets".split()

NOUNS = (
    ("dog", "dogs"),
    ("cat", "cats"),
    ("fox", "foxes"),
    ("bird", "birds"),
    ("girl", "girls"),
    ("boy", "boys"),
    ("farmer", "farmers"),
    ("sailor", "sailors"),
    ("teacher", "teachers"),
    ("baker", "bakers"),
    ("king", "kings"),
    ("horse", "horses"),
    ("goat", "goats"),
    ("duck", "ducks"),
    ("rabbit", "rabbits"),
    ("miller", "millers"),
)
"""Countable nouns as ``(singular, plural)``; the subjects and attractors of agreement."""

VERBS = (
    ("sleeps", "sleep"),
    ("sings", "sing"),
    ("jumps", "jump"),
    ("laughs", "laugh"),
    ("waits", "wait"),
    ("dances", "dance"),
    ("listens", "listen"),
    ("rests", "rest"),
    ("smiles", "smile"),
    ("plays", "play"),
)
"""Intransitive verbs as ``(with a singular subject, with a plural subject)``."""

RELATIVE_VERBS = (
    ("likes", "like"),
    ("sees", "see"),
    ("helps", "help"),
    ("follows", "follow"),
)
PREPOSITIONS = "near behind beside with".split()
ADJECTIVES = "old young small tall kind quiet".split()

CAUSES = (
    ("forgot the umbrella", "wet"),
    ("ate no lunch", "hungry"),
    ("climbed all day", "tired"),
    ("lost the warm coat", "cold"),
    ("heard the wolf", "scared"),
    ("won the race", "proud"),
    ("missed the path", "lost"),
    ("slept too long", "late"),
    ("ate bad berries", "sick"),
    ("sold the gold", "rich"),
    ("drank no water", "thirsty"),
    ("fell into mud", "dirty"),
    ("read all night", "sleepy"),
    ("had no friends", "lonely"),
)
"""What happens to somebody, and how that somebody is by evening."""

MOVES = ("walked to", "ran to", "went to")
TAKES = ("took", "found", "picked up")
SINGERS = tuple(singular for singular, _ in NOUNS[:4])
SONG_WORDS = (*NAMES, *PLACES, *THINGS, *COLOURS)
"""Refrains are random strings of these, so that nothing but the story itself predicts them."""

FUNCTION_WORDS = (
    "the is was in with now to gave wanted again sang that of so by evening end people flag "
    "sell happy sad had all day night no too long into up . :"
).split()


def vocabulary(towns: tuple[str, ...]) -> list[str]:
    """Return every word of the world once, in a fixed order."""
    groups: list[str] = [*FUNCTION_WORDS, *NAMES, *PLACES, *THINGS, *COLOURS, *GOODS]
    for pairs in (NOUNS, VERBS, RELATIVE_VERBS):
        groups += [form for pair in pairs for form in pair]
    groups += [*PREPOSITIONS, *ADJECTIVES]
    groups += [word for cause, state in CAUSES for word in (*cause.split(), state)]
    groups += [word for phrase in (*MOVES, *TAKES) for word in phrase.split()]
    return list(dict.fromkeys([*groups, *towns]))


def word_classes(ids: Mapping[str, int]) -> dict[int, str]:
    """Return the class of each token id of the world's vocabulary, by the part its word plays.

    Classes: ``function``, ``name``, ``place``, ``thing``, ``colour``, ``goods``, ``noun``,
    ``verb``;
    every other word (consequences, adjectives, towns) is ``other``.
    """
    groups: dict[str, Iterable[str]] = {
        "verb": [form for pairs in (VERBS, RELATIVE_VERBS) for pair in pairs for form in pair],
        "noun": [form for pair in NOUNS for form in pair],
        "goods": GOODS,
        "colour": COLOURS,
        "thing": THINGS,
        "place": PLACES,
        "name": NAMES,
        "function": [*FUNCTION_WORDS, *PREPOSITIONS],
    }
    found = dict.fromkeys(ids.values(), "other")
    for name, words in groups.items():
        found |= {ids[word]: name for word in words if word in ids}
    return found
