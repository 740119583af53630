"""Metrics in MLflow's folder layout: ``mlruns/EXPERIMENT/RUN/metrics/NAME``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from nucleate.bridges.tables.columns import WENT_BACK, Numbers, Table, column_of
from nucleate.core import DataError

_MAX_RUNS = 10_000


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders below a store, an experiment, or at a run itself."""
    found = [folder, *folder.glob("*"), *folder.glob("*/*")]
    runs = [run for run in found if (run / "metrics").is_dir() and (run / "meta.yaml").is_file()]

    return sorted(runs)[:_MAX_RUNS]


def mlflow_table(runs: list[Path], root: Path) -> Table:
    """Read every metric file: lines of ``timestamp value step``.

    Raises:
        DataError: No file holds such lines.
    """
    rows: list[tuple[str, str, str, float, float]] = []
    bad = 0
    for run in runs:
        name = _name(run)
        for path in sorted((run / "metrics").rglob("*")):
            if not path.is_file():
                continue
            metric = path.relative_to(run / "metrics").as_posix()
            text = path.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines():
                fields = line.split()
                try:
                    value, step = float(fields[1]), float(fields[2])
                except (IndexError, ValueError):
                    bad += 1
                else:
                    rows.append((name, run.name, metric, step, value))
    if not rows:
        raise DataError("no metrics in this MLflow folder", where=root)
    names, ids, metrics, steps, values = zip(*rows, strict=True)
    columns = {
        "run_name": column_of(names),
        "run_id": column_of(ids),
        "key": column_of(metrics),
        "step": Numbers(np.array(steps)),
        "value": Numbers(np.array(values)),
    }
    notes = (f"{bad:,} damaged lines were left out.",) if bad else ()
    return Table(str(root), columns, notes, WENT_BACK)


def _name(run: Path) -> str:
    """Return the name of a run, else its id."""
    tag = run / "tags" / "mlflow.runName"
    try:
        if tag.is_file():
            return tag.read_text(encoding="utf-8").strip() or run.name
        meta = yaml.safe_load((run / "meta.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return run.name
    return str(meta.get("run_name") or run.name) if isinstance(meta, dict) else run.name
