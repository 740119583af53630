"""The story world: a generator of small English stories whose every deciding word is known.

Stories are told by `story.tell`; `items.make_items` makes probe items, `oracle.choose` answers
them from the text alone.
"""

from nucleate.corpora.storyworld.facts import World, make_world
from nucleate.corpora.storyworld.items import StoryItems, make_items
from nucleate.corpora.storyworld.lexicon import vocabulary
from nucleate.corpora.storyworld.splits import Split, split_of
from nucleate.corpora.storyworld.story import Mixture, tell
from nucleate.corpora.storyworld.stream import StoryShards, training_stories

__all__ = [
    "Mixture",
    "Split",
    "StoryItems",
    "StoryShards",
    "World",
    "make_items",
    "make_world",
    "split_of",
    "tell",
    "training_stories",
    "vocabulary",
]
