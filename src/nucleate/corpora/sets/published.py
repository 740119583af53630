"""One published set of items: what it is, where it lies, and how its rows become items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nucleate.core import DataError, Level
from nucleate.corpora.itemsets import Item, ItemSet
from nucleate.corpora.sets.rows import PLACE, SUFFIXES, Row, hub_rows, read_rows

Build = Callable[[Iterable[Row]], list[Item]]


@dataclass(frozen=True, slots=True)
class Place:
    """Files of a data folder that hold a set.

    Attributes:
        pattern: Pattern of their paths, below the data folder.
        key, value: Take only rows that say so, where a file holds several sets.
    """

    pattern: str
    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Hub:
    """A data set on a hub: repository, configurations to put together, and the split to ask."""

    repository: str
    configurations: tuple[str | None, ...] = (None,)
    split: str = "validation"


@dataclass(frozen=True, slots=True)
class Published:
    """A published set.

    Attributes:
        name: First part of the names of its metrics; also the folder that it may be put in.
        level: What it speaks about.
        source: Authors and year, then where it is published.
        licence: As its source states it.
        build: Rows, in any of the layouts it is published in, to items.
        places: Where a data folder may hold it, beside a folder of its own name.
        hub: Where it can be downloaded.
        scoring: How it is scored, in one phrase.
        traps: What makes its numbers misleading, one sentence each.
    """

    name: str
    level: Level
    source: str
    licence: str
    build: Build
    places: tuple[Place, ...] = ()
    hub: Hub | None = None
    scoring: str = ""
    traps: tuple[str, ...] = ()


def load(published: Published, data: Path | None, *, hub: bool = False) -> ItemSet | None:
    """Read a set from the data folder, else from the hub, else return None.

    Args:
        data: The data folder; None where there is none.
        hub: Whether to ask the hub for what the folder lacks.

    Raises:
        DataError: A file is damaged or of another shape, or the hub does not answer.
    """
    rows = _local(published, data) if data else []
    if not rows and hub and published.hub:
        place = published.hub
        rows = hub_rows(place.repository, place.configurations, place.split)
    if not rows:
        return None
    try:
        items = published.build(rows)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"rows are not laid out as {published.name} is published ({error!r})"
        raise DataError(what, where=published.name, got=sorted(map(str, rows[0]))) from None
    if not items:
        return None
    return ItemSet(
        published.name,
        published.level,
        published.source,
        published.licence,
        tuple(items),
        published.traps,
    )


def _local(published: Published, data: Path) -> list[Row]:
    """Return the rows of the first place that has any: the set's own folder goes first."""
    for place in (Place(f"{published.name}/**/*"), *published.places):
        files = [f for f in sorted(data.glob(place.pattern)) if f.name.endswith(SUFFIXES)]
        rows = [row for file in files for row in read_rows(file)]
        if place.key:
            rows = [row for row in rows if row.get(place.key) == place.value]
        if rows:
            return rows
    return []


def first_of(row: Row, keys: Sequence[str]) -> str:
    """Return the text under the first key that a row has.

    Raises:
        KeyError: It has none of them.
        TypeError: What stands there is no text.
    """
    for key in keys:
        if key in row:
            if not isinstance(row[key], str) or not row[key].strip():
                raise TypeError(f"{key} is no text: {row[key]!r}")
            return str(row[key]).strip()
    raise KeyError(keys[0])


def language_of(row: Row) -> str:
    """Return the language of a row: its own column, else the folder or configuration it is from."""
    return str(row.get("lang") or row[PLACE])
