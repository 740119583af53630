"""The documents of a corpus, some of them held out for probes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nucleate.core.errors import DataError
from nucleate.corpora.sources import half_character, read_source


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents of a corpus, split once and for all into training and held-out ones.

    Attributes:
        train, held_out: Texts; duplicates of a held-out text never stand in `train`.
        key: Hash of everything read, names the corpus in caches and run folders.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    key: str


def share_of(texts: Iterable[str], index: int, shares: int) -> tuple[str, ...]:
    """Return one of several disjoint shares of some texts; the hash of a text decides its share."""
    return tuple(
        text
        for text in texts
        if int.from_bytes(hashlib.sha256(text.encode()).digest()[4:8], "big") % shares == index
    )


def read_documents(
    sources: Sequence[str | Path],
    *,
    field: str = "text",
    held_out_share: float = 0.02,
    min_characters: int = 40,
) -> Documents:
    """Read every source and set some documents apart for probes.

    A document is held out when the hash of its text says so: the choice depends on nothing else,
    so the same document is held out whatever else is read beside it.

    Args:
        sources: Files, folders of files, or ``hf:NAME[:SPLIT]`` for a Hugging Face dataset.
            Plain text is cut at ``<|endoftext|>`` where that stands, else at blank lines; short
            paragraphs are joined up to about 2,000 characters.
        field: Key of the text in JSON lines and datasets.
        held_out_share: Expected share of documents to hold out.
        min_characters: Shorter documents are left out.

    Raises:
        DataError: A source is missing or malformed, or too few documents are left.
    """
    texts = (text for source in sources for text in read_source(str(source), field))
    where = ", ".join(str(source) for source in sources)
    return split_documents(
        texts, held_out_share=held_out_share, min_characters=min_characters, where=where
    )


def split_documents(
    texts: Iterable[str],
    *,
    held_out_share: float = 0.02,
    min_characters: int = 40,
    where: str = "texts",
) -> Documents:
    """Set some of the given texts apart, each by the hash of what it says; see `read_documents`.

    Args:
        texts: Documents; those that come twice are kept once.
        held_out_share: Expected share of documents to hold out.
        min_characters: Shorter documents are left out.
        where: Names the texts in the error.

    Raises:
        DataError: Too few documents are left, or a text is none.
    """
    digest = hashlib.sha256()
    parts: tuple[dict[str, None], dict[str, None]] = ({}, {})
    for text in texts:
        if len(text) < min_characters:
            continue
        if half_character(text):
            raise DataError("text holds half a character (a lone surrogate)", where=where)
        fingerprint = hashlib.sha256(text.encode()).digest()
        digest.update(fingerprint)
        held_out = int.from_bytes(fingerprint[:4], "big") < held_out_share * 2**32
        parts[held_out][text] = None
    train, held_out_texts = tuple(parts[0]), tuple(parts[1])
    if not train or len(held_out_texts) < 2:
        raise DataError(
            "too few documents to train on and to hold out",
            where=where,
            got=len(train) + len(held_out_texts),
            expected="100 documents of 40 characters or more",
            fix="add text, or <|endoftext|> between .txt documents",
        )
    return Documents(train, held_out_texts, digest.hexdigest()[:16])
