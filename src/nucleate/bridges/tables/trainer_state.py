"""The log that the Hugging Face Trainer keeps in ``trainer_state.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.bridges.tables.columns import WENT_BACK, Table
from nucleate.bridges.tables.jsonfile import load_json
from nucleate.bridges.tables.records import table_of
from nucleate.core import DataError

STATE = "trainer_state.json"


def is_trainer_state(document: object) -> bool:
    """Whether a JSON document is the state of a Trainer."""
    return isinstance(document, Mapping) and isinstance(document.get("log_history"), list)


def trainer_table(document: Mapping[str, Any], path: Path) -> Table:
    """Turn the log of a Trainer into a table: loss, ``eval_*``, gradient norm by step.

    Averages over the whole run, which the Trainer logs at its end, are single readings.

    Raises:
        DataError: Nothing was logged.
    """
    history = [entry for entry in document["log_history"] if isinstance(entry, dict)]
    if not history:
        raise DataError(
            "nothing was logged yet", where=path, fix="set logging_steps in TrainingArguments"
        )
    return table_of(history, str(path), replaces=WENT_BACK)


def find_state(folder: Path) -> Path | None:
    """Return the latest state in a checkpoint or in an output folder with checkpoints."""
    found = [folder / STATE, *folder.glob(f"checkpoint-*/{STATE}")]
    found = [path for path in found if path.is_file()]
    return max(found, key=_reached) if found else None


def _reached(path: Path) -> tuple[float, bool]:
    """Return the step that a state has reached; the outer state wins a tie."""
    number = path.parent.name.removeprefix("checkpoint-")
    if number.isdigit():
        return float(number), False
    try:
        step = load_json(path).get("global_step", 0)
    except (DataError, AttributeError):
        return -1.0, True
    return (float(step) if isinstance(step, (int, float)) else 0.0), True
