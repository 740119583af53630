"""Which level decides the next word of a row: the notes of its story, place by place."""

from __future__ import annotations

import numpy as np

from nucleate.corpora.storyworld import Mixture, Split, make_world, vocabulary
from nucleate.corpora.storyworld import lexicon as lx
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.probes.suites import story_levels, story_rows

WORDS = {
    "syntax": {form for pair in lx.VERBS for form in pair},
    "semantics": {state for _, state in lx.CAUSES},
    "narrative": {*lx.PLACES, *lx.NAMES, "happy", "sad"},
    "knowledge": {*lx.COLOURS, *lx.GOODS},
    "long_context": set(lx.SONG_WORDS),
}


def test_levels_name_what_decides_the_word_that_follows() -> None:
    world = make_world(0)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    asked = (world, Mixture(), tokenizer)
    rows = story_rows(*asked, split=Split.DEVELOPMENT, context=64, rows=40)
    levels = story_levels(*asked, split=Split.DEVELOPMENT, context=64, rows=40)
    assert levels.shape == rows.shape == (40, 64)
    words = tokenizer.convert_ids_to_tokens(rows.flatten().tolist())
    decided = levels.flatten()[:-1]
    assert set(decided) == {"", *WORDS}
    for level, allowed in WORDS.items():
        followers = {words[place + 1] for place in np.flatnonzero(decided == level)}
        assert followers <= allowed, level
    # A verb of agreement is told nowhere but where a subject decides its number.
    verbs = np.array([word in WORDS["syntax"] for word in words[1:]])
    np.testing.assert_array_equal(verbs, decided == "syntax")
