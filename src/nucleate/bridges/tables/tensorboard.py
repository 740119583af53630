"""Scalars of TensorBoard event files, unframed and parsed by the package tensorboard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.bridges.tables.columns import WENT_BACK, Numbers, Table, column_of
from nucleate.core import DataError, UserError


def find_events(folder: Path) -> list[Path]:
    """Return the event files below a folder, in the order of writing within each folder."""
    found = (path for path in folder.rglob("*tfevents*") if path.is_file())
    return sorted(found, key=lambda path: (path.parent, path.name))


def events_table(files: list[Path], root: Path) -> Table:
    """Read the scalars of event files; every folder that holds some is a run.

    Raises:
        UserError: The package tensorboard is not installed.
        DataError: The files hold no scalars.
    """
    rows: list[tuple[str, str, int, float]] = []
    broken = []
    with _quiet():
        for path in files:
            run = "" if path == root else path.parent.relative_to(root).as_posix()
            try:
                rows += [(run if run != "." else "", *scalar) for scalar in _scalars(path)]
            except UserError:
                raise
            except Exception as error:  # tensorboard raises many kinds for damaged records
                broken.append(f"{path.name} was read up to a damaged record ({error}).")
    if not rows:
        raise DataError("no scalars in these event files", where=root)
    runs, tags, steps, values = zip(*rows, strict=True)
    columns = {
        "run": column_of(runs),
        "tag": column_of(tags),
        "step": Numbers(np.array(steps, dtype=np.float64)),
        "value": Numbers(np.array(values, dtype=np.float64)),
    }
    return Table(str(root), columns, tuple(broken), WENT_BACK)


def _scalars(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yield tag, step and value, as PyTorch (plain) and TensorFlow 2 (tensors) write them."""
    try:
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util import tensor_util
    except ImportError:
        raise UserError(
            "event files need the package tensorboard",
            where=path,
            fix="pip install 'nucleate[tensorboard]'",
        ) from None
    plugins: dict[str, str] = {}
    for record in RawEventFileLoader(str(path)).Load():
        event: Any = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            if value.HasField("metadata"):  # stands in the first event of a tag only
                plugins[value.tag] = value.metadata.plugin_data.plugin_name
            if value.HasField("simple_value"):
                yield value.tag, event.step, value.simple_value
            elif value.HasField("tensor") and plugins.get(value.tag) == "scalars":
                array = tensor_util.make_ndarray(value.tensor)
                if array.size == 1:
                    yield value.tag, event.step, float(array.item())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tensorboard from printing to other people's terminals."""
    logger = logging.getLogger("tensorboard")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
