"""What `--json` prints: one JSON object on one line and nothing else, by the same rules everywhere.

``schema`` comes first: ``nucleate.COMMAND/1``; the number grows when a key changes its meaning or
goes away, never when one is added. Numbers are unrounded. What is unknown or not finite is null.
Text is ASCII with escapes, so that no terminal, locale or name can damage it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def print_json(command: str, content: Mapping[str, Any]) -> None:
    """Print an object as the JSON of a command.

    Args:
        command: Name of the command: ``show``, ``suite.export``.
        content: What it found; a schema of its own stays.
    """
    print(as_text({"schema": schema(command), **content}))


def schema(command: str) -> str:
    """Return the name of the schema of a command's JSON.

    >>> schema("show")
    'nucleate.show/1'
    """
    return f"nucleate.{command}/1"


def as_text(content: Any) -> str:
    """Return a value as strict JSON on one line, in ASCII.

    >>> as_text({"at": float("nan"), "runs": ("é",)})
    '{"at": null, "runs": ["\\\\u00e9"]}'
    """
    return json.dumps(plain(content), allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value without NaN, infinities, tuples or numbers of numpy."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Sequence):
        return [plain(inner) for inner in value]
    if isinstance(value, int):
        return value
    if hasattr(value, "tolist"):  # arrays and numbers of numpy
        return plain(value.tolist())
    number = float(value)
    return number if math.isfinite(number) else None
