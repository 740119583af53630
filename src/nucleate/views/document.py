"""What every page shares: its templates, style sheets and scripts, security policy, and writing."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core import NucleateError, RunFolderError
from nucleate.core.units import seconds, si, tokens
from nucleate.views import labels
from nucleate.views.cost.numbers import shown as amount

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Return where templates of reports come from, with their filters; made once."""
    made = templates("nucleate.views")
    made.filters |= {
        "tokens": tokens,
        "seconds": seconds,
        "si": si,
        "number": labels.number,
        "plus_minus": labels.plus_minus,
        "change": labels.change,
        "probability": labels.probability,
        "level": labels.level_name,
        "measure": labels.measure_name,
        "capital": labels.capital,
    }
    made.globals |= {
        "span": labels.span,
        "amount": amount,
        "isfinite": math.isfinite,
        "id": id,
    }
    return made


def templates(*packages: str) -> Environment:
    """Return an environment that escapes what it shows, and stops where a name is missing.

    Args:
        packages: Where templates are looked for, in this order.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def sources(made: Environment, *names: str) -> str:
    """Return style sheets or scripts as they stand in the package, one after the other."""
    assert made.loader is not None
    return "\n".join(made.loader.get_source(made, name)[0].strip() for name in names)


def content_policy(style: str, script: str = "") -> str:
    """Return a content security policy that lets only these two inline sources act."""
    return (
        "default-src 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def write_document(
    page: str, path: str | Path, refusal: Callable[..., NucleateError] = RunFolderError
) -> Path:
    """Write a page, whole or not at all, and return its path.

    Args:
        page: Its text; halves of surrogate pairs, which names may hold, become question marks.
        path: The file to write; folders above it are created.
        refusal: What is raised where it cannot be written.

    Raises:
        NucleateError: The file cannot be written.
    """
    from nucleate.store.files import write_atomic

    out = Path(path)
    if out.is_dir():
        raise refusal("is a folder", where=out, expected="a file to write")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, page.encode("utf-8", "replace"))
    except OSError as error:
        raise refusal(
            "cannot be written", where=out, got=error.strerror, fix="name another file"
        ) from None
    return out
