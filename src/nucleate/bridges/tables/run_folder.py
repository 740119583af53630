"""Curves of a run folder that `nucleate` itself has written."""

from __future__ import annotations

from pathlib import Path

from nucleate.core import CurveBook, DataError
from nucleate.store import Run


def read_run(path: Path) -> CurveBook:
    """Read the curves of a run folder, over tokens.

    Raises:
        RunFolderError: The folder is damaged.
        DataError: Nothing was measured yet.
    """
    measured = Run.open(path).curves()
    curves = {name: curve for name, curve in measured.items() if len(curve.steps) > 1}
    if not curves:
        raise DataError("no metric of this run has two readings yet", where=path)
    return CurveBook(str(path), "tokens", {"": curves})
