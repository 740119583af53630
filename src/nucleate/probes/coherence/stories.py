"""Stories and sentences that a tokenizer can write, as raw material of items."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nucleate.corpora.narrative.corruptions import read_prose
from nucleate.corpora.sets.rows import Row, read_rows
from nucleate.corpora.tokenizer import encode
from nucleate.corpora.windows import Prose
from nucleate.probes.coherence.fitting import Fitting
from nucleate.probes.coherence.request import SuiteRequest

SOURCES: dict[str, Callable[[Row], bool]] = {
    "tinystories": lambda row: bool(row.get("cased", True)),
    "storybooks_multilingual": lambda row: row.get("lang", "en") == "en",
    "llm_stories": lambda row: True,
}
"""Corpora of stories in the data folder, and which of their rows are taken; of equal weight."""

MOST, FEWEST = 300, 100
"""Stories of one source; between them one and a half for every item."""

_CHUNK = 512


@dataclass(frozen=True)
class Material:
    """Stories for one request.

    Attributes:
        texts: With blanks for line ends.
        prose: The same stories in sentences, line ends being read.
        tokens: Counts the tokens of a text; of sentences it knows them.
        notes: Where the stories come from.
    """

    texts: tuple[str, ...]
    prose: tuple[Prose, ...]
    tokens: Callable[[str], int]
    notes: tuple[str, ...]


@lru_cache(maxsize=2)
def material(request: SuiteRequest) -> Material:
    """Return stories that the tokenizer can write, equally many of every source.

    Without a data folder the documents of the request's sample are taken, which models may have
    been trained on.
    """
    size = max(FEWEST, min(MOST, request.items * 3 // 2))
    found, note = list[str](), ""
    for name in SOURCES:
        file = request.data / f"corpora/{name}.jsonl.gz" if request.data else None
        if file is not None and file.is_file():
            rows = _texts(file, name)
            chosen = random.Random(f"{name}-{request.seed}").sample(rows, min(size, len(rows)))
            found += writable(chosen, request)
            note = "stories are of public corpora: a model may have been trained on them"
    if not found and request.sample:
        sample = list(request.sample)
        chosen = random.Random(f"sample-{request.seed}").sample(sample, min(3 * size, len(sample)))
        found = writable(chosen, request)
        note = "stories are the documents of the sample: models were trained on such"
    prose = read_prose(found, seed=request.seed)
    sentences = [f" {sentence}" for text in prose for run in text.runs for sentence in run]
    counter = token_counter(request.tokenizer, sentences)
    texts = tuple(" ".join(text.split()) for text in found)
    return Material(texts, tuple(prose), counter, (note,) if note else ())


def writable(texts: list[str], request: SuiteRequest) -> list[str]:
    """Return the texts that the tokenizer can write and read back, of any length.

    Line ends do not count: sentences are asked with blanks between them.
    """
    kept = Fitting(request.tokenizer, 10**9).texts([" ".join(text.split()) for text in texts])
    return [text for text, good in zip(texts, kept, strict=True) if good]


def token_counter(tokenizer: Any, texts: list[str] | None = None) -> Callable[[str], int]:
    """Return a function that counts the tokens of a text, each text once.

    Args:
        tokenizer: Any `transformers` tokenizer.
        texts: Texts to count at once, which is faster than one by one.
    """
    known: dict[str, int] = {}
    many = list(dict.fromkeys(texts or ()))
    for start in range(0, len(many), _CHUNK):
        few = many[start : start + _CHUNK]
        known.update(zip(few, map(len, encode(tokenizer, few)), strict=True))

    def count(text: str) -> int:
        if text not in known:
            known[text] = len(encode(tokenizer, [text])[0])
        return known[text]

    return count


@lru_cache(maxsize=8)
def _texts(file: Path, name: str) -> list[str]:
    return [row["text"] for row in read_rows(file) if SOURCES[name](row)]
