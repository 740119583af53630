"""What training would cost as one page: every input with its source, no JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.views.cost.numbers import percent, power, shown
from nucleate.views.document import content_policy, environment, sources, write_document


def write_cost(data: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page and return its path.

    Args:
        data: A scenario of schema ``nucleate.cost/1``.
        path: The file to write; folders above it are created.

    Raises:
        RunFolderError: The file cannot be written.
    """
    return write_document(render_cost(data), path)


def render_cost(data: Mapping[str, Any]) -> str:
    """Return the page; the same scenario gives the same bytes."""
    made = environment()
    style = sources(made, "report.css", "cost.css")
    whole = sum(data["parts"].values())
    ordered = sorted(data["parts"].items(), key=lambda item: -item[1])
    return made.get_template("cost.html.j2").render(
        data=data,
        shown=shown,
        percent=percent,
        power=power,
        parts=[(part.replace("_", " "), flops, flops / whole) for part, flops in ordered],
        style=style,
        policy=content_policy(style),
    )
