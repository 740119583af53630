"""Training tokens of the story world: endless, never repeated, resumable."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nucleate.corpora.items import Passage
from nucleate.corpora.packing import Tokens
from nucleate.corpora.storyworld.facts import World
from nucleate.corpora.storyworld.splits import Split
from nucleate.corpora.storyworld.story import Mixture, tell

STORIES_PER_SHARD = 256


class StoryShards:
    """Stories of the training split; shard `i` of a seed is always the same 256 stories.

    Args:
        world: Facts that may be told.
        mixture: Weights of the kinds of sentence.
        ids: Token id of every word.
        eos: Id written after each story.
        seed: Seed of the stories.
    """

    def __init__(
        self, world: World, mixture: Mixture, ids: dict[str, int], eos: int, seed: int
    ) -> None:
        self._world, self._mixture, self._seed = world, mixture, seed
        self._ids, self._eos = ids, eos

    def shard(self, index: int) -> Tokens:
        """Return the tokens of shard `index`, shape ``(about 26,000,)``."""
        ids, out = self._ids, []
        for story in self._stories(index):
            out.extend([ids[word] for word in story.words])
            out.append(self._eos)
        return np.array(out, dtype=np.int64)

    def kinds(self, index: int) -> NDArray[np.str_]:
        """Return the kind of slot that each token of shard `index` fills, empty where none."""
        out: list[str] = []
        for story in self._stories(index):
            decided = {slot.index: slot.kind for slot in story.slots}
            out.extend(decided.get(place, "") for place in range(len(story.words) + 1))
        return np.array(out)

    def _stories(self, index: int) -> Iterator[Passage]:
        rng = random.Random(f"stories-{self._seed}-{index}")
        for _ in range(STORIES_PER_SHARD):
            yield tell(rng, self._world, self._mixture)


def training_stories(world: World, mixture: Mixture, seed: int, count: int) -> list[str]:
    """Return the first `count` training stories of a seed as text (for audits and reading)."""
    rng = random.Random(f"stories-{seed}-0")
    return [" ".join(tell(rng, world, mixture, Split.TRAIN).words) for _ in range(count)]
