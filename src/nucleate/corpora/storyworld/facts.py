"""Facts of the world: towns, the colour of their flag, the goods they sell; told by Zipf's law."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate

from nucleate.corpora.storyworld.lexicon import COLOURS, GOODS

NUM_TOWNS = 64
_SYLLABLES = "ve lor ta min su ra ko ben da fi no gal pe ri mo zu".split()


@dataclass(frozen=True, slots=True)
class World:
    """The unchanging truth of one world.

    Attributes:
        towns: Names in order of how often they are told of, most frequent first.
        flag: Colour of each town's flag.
        goods: What each town sells.
        cumulative: Cumulative weights of `towns`, ``1/rank`` each.
    """

    towns: tuple[str, ...]
    flag: dict[str, str]
    goods: dict[str, str]
    cumulative: tuple[float, ...]

    def draw_town(self, rng: random.Random) -> str:
        """Draw a town with probability proportional to one over its rank."""
        return rng.choices(self.towns, cum_weights=self.cumulative)[0]

    def frequency_bin(self, town: str) -> str:
        """Return ``common`` (8 most frequent), ``middle`` (next 24) or ``rare`` (the last 32)."""
        rank = self.towns.index(town)
        return "common" if rank < 8 else "middle" if rank < 32 else "rare"


def make_world(seed: int = 0) -> World:
    """Build the world of a seed; equal seeds give equal worlds."""
    rng = random.Random(f"world-{seed}")
    names: list[str] = []
    while len(names) < NUM_TOWNS:
        name = "".join(rng.choice(_SYLLABLES) for _ in range(3))
        if name not in names:
            names.append(name)
    towns = tuple(names)
    return World(
        towns=towns,
        flag={town: rng.choice(COLOURS) for town in towns},
        goods={town: rng.choice(GOODS) for town in towns},
        cumulative=tuple(accumulate(1 / (rank + 1) for rank in range(NUM_TOWNS))),
    )
