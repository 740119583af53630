"""Small documents with names, quotations and headings, made here so that no test needs a file."""

from __future__ import annotations

import random

NAMES = ("Lily", "Tom", "Anna", "Ben", "Mara", "Otto")
LINES = (
    "{a} saw {b} near the old mill.",
    "In the morning {b} gave {a} a small drum.",
    '"Stop! Wait for me," said {a}, and {b} waited.',
    "Then {b} ran to the river.",
    "Mr. Hill watched {a} from his window.",
    "The water was cold, but {b} did not mind.",
    "After a while {a} began to sing.",
    "A storm came up over the hills.",
    "They met {b} again at the bridge.",
    "So {a} carried the drum all the way home.",
    "At night the wind blew {number} leaves into the yard.",
)


def story(seed: int, sentences: int = 14) -> str:
    """A heading and so many sentences about two people."""
    rng = random.Random(seed)
    a, b = rng.sample(NAMES, 2)
    lines = [rng.choice(LINES).format(a=a, b=b, number=n + 2) for n in range(sentences)]
    return f"The Story Number {seed}\n\n" + " ".join(lines)


def stories(number: int, sentences: int = 14) -> list[str]:
    return [story(seed, sentences) for seed in range(number)]
