"""What the scan benchmark is about: a series of checkpoints, minimal pairs, four-way items."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nucleate.bridges.lm_eval.export import write_tasks
from nucleate.core import Level
from nucleate.corpora.blimp import find_blimp, find_data_folder, read_blimp
from nucleate.corpora.items import Choice, MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.tokenizer import bpe_tokenizer, encode
from nucleate.models import ModelSettings, build
from nucleate.models.quiet import quiet_transformers

VOCABULARY = 8192
STEPS, ROWS, CONTEXT = 10, 16, 64
"""Training between two checkpoints: enough for answers that are not all alike."""


def make(folder: Path, checkpoints: int, pairs: int, choices: int) -> None:
    """Write the series into ``folder/series`` and the tasks into ``folder/tasks``."""
    stories, source = _stories()
    rng = np.random.default_rng(0)
    minimal, pair_source = _pairs(stories, pairs, rng)
    texts = [" ".join(story) for story in stories]
    tokenizer = bpe_tokenizer([*texts, *(pair.good for pair in minimal)], vocab_size=VOCABULARY)
    sets = [
        ItemSet("pairs", Level.SYNTAX, pair_source, "see its source", tuple(minimal)),
        ItemSet("four", Level.SEMANTICS, source, "see its source", _choices(stories, choices, rng)),
    ]
    write_tasks(sets, folder / "tasks")
    ids = np.array([t for text in encode(tokenizer, texts[:2000]) for t in (*text, 0)])
    _train(folder / "series", tokenizer, ids, checkpoints, rng)


def _stories() -> tuple[list[list[str]], str]:
    """Stories as sentences: TinyStories where the data folder is there, else made-up ones."""
    data = find_data_folder()
    file = data / "corpora" / "tinystories.jsonl.gz" if data else None
    if file and file.is_file():
        with gzip.open(file, "rt") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        return list(_cut(texts)), "TinyStories"
    rng = np.random.default_rng(1)
    words = np.array([a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "l", "ra")])
    made = [
        [
            " ".join(rng.choice(words, rng.integers(6, 14))).capitalize() + "."
            for _ in range(rng.integers(8, 20))
        ]
        for _ in range(4000)
    ]
    return made, "made up"


def _cut(texts: list[str]) -> Iterator[list[str]]:
    for text in texts:
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
        if len(kept := [s for s in sentences if 4 < len(s.split()) < 25]) > 6:
            yield kept


def _pairs(
    stories: list[list[str]], number: int, rng: np.random.Generator
) -> tuple[list[MinimalPair], str]:
    if (blimp := find_blimp()) is not None:
        everything = read_blimp(blimp)
        if len(everything) >= number:
            chosen = rng.choice(len(everything), number, replace=False)
            return [MinimalPair(everything[i].good, everything[i].bad) for i in chosen], "BLiMP"
    sentences = [sentence for story in stories for sentence in story if len(sentence) > 20]
    pairs = []
    for place in rng.choice(len(sentences), number, replace=len(sentences) < number):
        words = sentences[place].split()
        k = int(rng.integers(1, len(words) - 1))
        swapped = [*words[:k], words[k + 1], words[k], *words[k + 2 :]]
        pairs.append(MinimalPair(" ".join(words), " ".join(swapped)))
    return pairs, "made up"


def _choices(stories: list[list[str]], number: int, rng: np.random.Generator) -> tuple[Choice, ...]:
    """Three sentences of a story, the one that follows, and three of other stories."""
    items = []
    for n in range(number):
        story = stories[n % len(stories)]
        k = int(rng.integers(3, len(story)))
        others = [stories[i][0] for i in rng.choice(len(stories), 3, replace=False)]
        gold = int(rng.integers(4))
        options = [*others[:gold], story[k], *others[gold:]]
        context = " ".join(story[k - 3 : k])
        items.append(Choice(tuple((context, f" {option}") for option in options), gold))
    return tuple(items)


def _train(
    folder: Path, tokenizer: Any, ids: np.ndarray, checkpoints: int, rng: np.random.Generator
) -> None:
    shape = {"layers": 4, "width": 128, "heads": 4, "context": 512}
    model: Any = build(ModelSettings(family="neox", **shape), len(tokenizer), 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for number in range(checkpoints):
        for _ in range(STEPS):
            starts = rng.integers(0, len(ids) - CONTEXT, ROWS)
            rows = torch.from_numpy(np.stack([ids[s : s + CONTEXT] for s in starts]))
            model(input_ids=rows, labels=rows).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        home = folder / f"step{(number + 1) * STEPS}"
        with quiet_transformers():
            model.save_pretrained(home)
        tokenizer.save_pretrained(home)


if __name__ == "__main__":
    make(Path(sys.argv[1]), *map(int, sys.argv[2:]))
