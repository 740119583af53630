"""Watch coherence crystallise while a language model trains.

The heavy parts load on first use, so that `import nucleate` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nucleate.detect import transitions
    from nucleate.observe.scan import scan
    from nucleate.observe.watch import watch
    from nucleate.store import Run
    from nucleate.studies.compare import compare

__version__ = "0.1.0"

_HOME = {
    "Run": "nucleate.store",
    "compare": "nucleate.studies.compare",
    "scan": "nucleate.observe.scan",
    "transitions": "nucleate.detect",
    "watch": "nucleate.observe.watch",
}

DRAWN_BY = ("nucleate.views.notebook",)
"""Modules that draw curves, transitions and runs in notebooks; see `nucleate.core.display`."""

__all__ = ["Run", "__version__", "compare", "scan", "transitions", "watch"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
