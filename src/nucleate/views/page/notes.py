"""What people wrote beside a run, and its tags: words with a # in the notes, and the recipe's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.store import Manifest

FILE = "notes.txt"
MOST_BYTES = 16_384
MOST_TAGS, LONGEST_TAG = 12, 40

_TAG = re.compile(r"(?:^|(?<=\s))#([^\s#]{1,40})")


def read_notes(run: Path) -> str:
    """Return `notes.txt` of a run folder, its beginning if it is long; empty when there is none."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(run / FILE, flags)
    except OSError:
        return ""
    try:
        with os.fdopen(handle, "rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def tags_of(manifest: Manifest, notes: str) -> tuple[str, ...]:
    """Return a run's tags: those of its notes first, then model, optimiser, data and seeds.

    >>> tags_of(Manifest("a", seeds={"model": 3}), "sharp #keep #lr-sweep")
    ('keep', 'lr-sweep', 'seed 3')
    """
    found = [tag.rstrip(".,;:!?") for tag in _TAG.findall(notes)]
    recipe = manifest.recipe
    if "scan" in recipe:
        found.append("scan")
    if "watched" in recipe:
        found.append("watched")
    found += [_text(recipe, "model", "size"), _text(recipe, "optimizer", "kind")]
    found.append(_text(recipe, "corpus", "kind").replace("_", " "))
    seeds = {value for value in manifest.seeds.values() if isinstance(value, int)}
    if len(seeds) == 1:
        found.append(f"seed {seeds.pop()}")
    clean = [tag[:LONGEST_TAG] for tag in found if tag]
    return tuple(dict.fromkeys(clean))[:MOST_TAGS]


def _text(recipe: Mapping[str, Any], *keys: str) -> str:
    value: Any = recipe
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
