"""Ways to break a file; each is a function of a seed, so that a failure can be seen again."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

STRANGE = (
    *(None, True, -1, 0, 1e308, 10**30, -(10**30), 2**63, math.nan, math.inf, "", "x" * 5000),
    *(
        [],
        {},
        [[]],
        {"": None},
        "\ud800",
        "\x1b[2J\n",
        "1e400",
        "NaN",
        "../../../etc/passwd",
        "null",
    ),
)
"""Values of every type that no one expects."""


def truncated(content: bytes, chance: random.Random) -> bytes:
    """Cut at a random place."""
    return content[: chance.randrange(max(1, len(content)))]


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Flip one to eight bits."""
    out = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if out:
            out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def overwritten(content: bytes, chance: random.Random) -> bytes:
    """Overwrite a stretch with random bytes, zeros or ones."""
    at, length = chance.randrange(max(1, len(content))), chance.randint(1, 64)
    fill = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))
    return content[:at] + fill + content[at + length :]


def inserted(content: bytes, chance: random.Random) -> bytes:
    """Insert random bytes, or bytes of elsewhere in the file."""
    at = chance.randrange(max(1, len(content)))
    other = chance.randrange(max(1, len(content)))
    piece = chance.choice((chance.randbytes(32), content[other : other + 64], b"\0" * 16))
    return content[:at] + piece + content[at:]


def renumbered(content: bytes, chance: random.Random) -> bytes:
    """Replace one run of digits by a number of another size."""
    runs = [i for i, b in enumerate(content) if 48 <= b < 58]
    if not runs:
        return content + b"9"
    at = end = chance.choice(runs)
    while end < len(content) and 48 <= content[end] < 58:
        end += 1
    new = chance.choice(
        (b"9" * 400, b"-1", b"1e400", b"nan", b"0", b"99999999999999999999", b"0x1")
    )
    return content[:at] + new + content[end:]


def reencoded(content: bytes, chance: random.Random) -> bytes:
    """Write the text in an encoding that nobody announced."""
    text = content.decode("utf-8", "replace")
    encoding = chance.choice(("utf-16", "utf-16-be", "utf-32", "cp037", "utf-7"))
    return text.encode(encoding, "replace")


def emptied(content: bytes, chance: random.Random) -> bytes:
    """Leave nothing, or nothing but blanks."""
    return chance.choice((b"", b"\n", b" \t\n" * 9, b"\0" * 64))


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(truncated, flipped, overwritten, inserted, renumbered, reencoded, emptied),
)


def spoil(path: Path, seed: int) -> str:
    """Break a file or put something else in its place; return how."""
    chance = random.Random(seed)
    kind = chance.choices(("bytes", "folder", "loop", "dangling", "missing"), (44, 2, 2, 1, 1))[0]
    if kind == "bytes":
        change = chance.choice(BYTES)
        path.write_bytes(change(path.read_bytes(), chance))
        return change.__name__
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    return kind


def spoiled_tree(document: Any, seed: int) -> Any:
    """Return a document with one value replaced, one key lost, one key more, or one key renamed."""
    chance = random.Random(seed)
    document = json.loads(json.dumps(document))
    places = list(_places(document))
    parent, key = chance.choice(places)
    kind = chance.choices(("value", "lost", "more", "renamed"), (6, 2, 1, 1))[0]
    if kind == "value" or isinstance(parent, list):
        parent[key] = chance.choice(STRANGE)
    elif kind == "lost":
        del parent[key]
    elif kind == "more":
        parent[chance.choice(("", "zzz", "\u202e", "__class__"))] = chance.choice(STRANGE)
    else:
        parent[f"{key}_"] = parent.pop(key)
    return document


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)
