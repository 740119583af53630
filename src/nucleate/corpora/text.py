"""Read documents from text files, JSON lines (also gzipped) and Hugging Face datasets."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nucleate.core.errors import DataError

TEXT_SUFFIXES = (".txt", ".md", ".text")
JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".json.gz", ".ndjson")


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
            Plain text files hold documents separated by blank lines when they end in ``.txt``.
        field: Key of the text in JSON lines and datasets.
        held_out_share: Expected share of documents to hold out.
        min_characters: Shorter documents are left out.

    Raises:
        DataError: A source is missing or malformed, or too few documents are left.
    """
    digest = hashlib.sha256()
    parts: tuple[dict[str, None], dict[str, None]] = ({}, {})
    for source in sources:
        for text in _read_source(str(source), field):
            if len(text) < min_characters:
                continue
            fingerprint = hashlib.sha256(text.encode()).digest()
            digest.update(fingerprint)
            held_out = int.from_bytes(fingerprint[:4], "big") < held_out_share * 2**32
            parts[held_out][text] = None
    train, held_out_texts = tuple(parts[0]), tuple(parts[1])
    if not train or len(held_out_texts) < 2:
        raise DataError(
            "too few documents to train on and to hold out",
            where=", ".join(str(source) for source in sources),
            got=len(train) + len(held_out_texts),
            expected="at least 100 documents of 40 characters or more",
            fix="add text; in .txt files blank lines separate documents",
        )
    return Documents(train, held_out_texts, digest.hexdigest()[:16])


def _read_source(source: str, field: str) -> Iterator[str]:
    if source.startswith("hf:"):
        yield from _read_dataset(source, field)
        return
    path = Path(source)
    if not path.exists():
        raise DataError("no such file or folder", where=path, fix="check the path")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.name.endswith(_SUFFIXES))
        if not files:
            raise DataError(
                "folder holds no text", where=path, expected=" ".join(_SUFFIXES), fix="name a file"
            )
        for file in files:
            yield from _read_file(file, field)
        return
    yield from _read_file(path, field)


_SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES)


def _read_file(path: Path, field: str) -> Iterator[str]:
    try:
        if path.name.endswith(JSON_SUFFIXES):
            yield from _read_json_lines(path, field)
        else:
            yield from _paragraphs(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 text (byte {error.start})", where=path, fix="convert it to UTF-8"
        ) from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot be read: {reason}", where=path) from None


def _read_json_lines(path: Path, field: str) -> Iterator[str]:
    opened: IO[str] = (
        gzip.open(path, "rt", encoding="utf-8")  # noqa: SIM115 (closed by the with below)
        if path.suffix == ".gz"
        else path.open(encoding="utf-8")
    )
    with opened as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                raise DataError("line is not JSON", where=where, got=line.strip()) from None
            text = record.get(field) if isinstance(record, dict) else None
            if not isinstance(text, str):
                keys = ", ".join(map(str, record)) if isinstance(record, dict) else "no object"
                raise DataError(
                    f"no text under key {field!r}", where=where, got=keys, fix="pass --field KEY"
                )
            yield text.strip()


def _paragraphs(text: str) -> Iterator[str]:
    """Split plain text into documents at blank lines, joined again up to about 2,000 characters."""
    gathered: list[str] = []
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        if paragraph.strip():
            gathered.append(paragraph.strip())
        if sum(map(len, gathered)) >= 2000:
            yield "\n\n".join(gathered)
            gathered = []
    if gathered:
        yield "\n\n".join(gathered)


def _read_dataset(source: str, field: str) -> Iterator[str]:
    try:
        import datasets
    except ImportError:
        raise DataError(
            "needs the package datasets", where=source, fix="pip install 'nucleate[data]'"
        ) from None
    name, _, split = source.removeprefix("hf:").partition(":")
    try:
        rows = (
            datasets.load_from_disk(name)
            if Path(name).exists()
            else datasets.load_dataset(name, split=split or "train")
        )
    except Exception as error:
        raise DataError(f"cannot load this dataset: {error}", where=source) from None
    if isinstance(rows, datasets.DatasetDict):
        rows = rows[split or "train"]
    if field not in rows.column_names:
        raise DataError(
            f"no column {field!r}", where=source, got=rows.column_names, fix="pass --field KEY"
        )
    for text in rows[field]:
        yield str(text).strip()
