"""Curves of a run folder that `nucleate` itself has written."""

from __future__ import annotations

from pathlib import Path

from nucleate.core import CurveBook, DataError
from nucleate.store import Run
from nucleate.store.log import segments

RUN = "run.json"


def is_run(folder: Path) -> bool:
    """Tell whether a folder is a run: `run.json`, or a log where that is gone."""
    log = folder / "log"
    return (folder / RUN).is_file() or (log.is_dir() and bool(segments(log)))


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
    missing = f"{path / RUN} is missing; the log's copy stands in (nucleate doctor --mend)."
    notes = () if (path / RUN).is_file() else (missing,)
    return CurveBook(str(path), "tokens", {"": curves}, notes)
