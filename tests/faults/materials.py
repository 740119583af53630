"""One sound example of everything that the command line reads, to be broken by the tests."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from pathlib import Path

import numpy as np

from nucleate.core import Event, LedgerEntry, Level, Reading, Step
from nucleate.store import Manifest, RunWriter

STEPS = [1000 * 2**k for k in range(7)]
VALUES = [0.1 + 0.07 * k for k in range(7)]
ROWS = [
    {"step": s, "acc": v, "loss": 3 - v, "run": "a"} for s, v in zip(STEPS, VALUES, strict=True)
]

RECIPE = {
    "name": "r",
    "corpus": {"kind": "text", "paths": ["/nowhere/at/all.txt"], "field": "text"},
    "model": {"layers": 1, "width": 16, "heads": 2},
    "optimizer": {"kind": "adamw", "lr": 0.003, "betas": [0.9, 0.95]},
    "schedule": {"kind": "wsd", "warmup_tokens": 512},
    "probes": {"per_decade": 12, "first_tokens": 256, "items": 8},
    "tokens": 8192,
    "rows": 4,
    "context": 64,
    "seed": 0,
    "levers": {"depth": {"kind": "depth"}},
    "policy": [
        {"name": "go", "when": {"above": {"metric": "a.b", "value": 0.5}}, "pull": {"depth": 1}}
    ],
}

STUDY = {
    "name": "s",
    "seeds": [1, 2, 3],
    "tuning": {"runs": 3, "seeds": [91], "objective": "loss"},
    "workloads": {
        "W": {
            "recipe": {"name": "w", "tokens": 8192, "rows": 4, "context": 64},
            "horizons": [4096, 8192],
            "arms": {"B1": {"about": "base", "tune": {"optimizer.lr": [0.001, 0.003]}}},
        }
    },
}


def _csv() -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(ROWS[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, step=np.array(STEPS), acc=np.array(VALUES))
    return out.getvalue()


def _parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


def _sqlite(folder: Path) -> bytes:
    path = folder / "made.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE runs (run_uuid TEXT, name TEXT)")
        base.execute(
            "CREATE TABLE metrics (key TEXT, value REAL, timestamp INT, run_uuid TEXT, step INT,"
            " is_nan BOOLEAN)"
        )
        base.execute("INSERT INTO runs VALUES ('u1', 'base')")
        rows = [("acc", row["acc"], 1, "u1", row["step"], 0) for row in ROWS]
        base.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    base.close()
    content = path.read_bytes()
    path.unlink()
    return content


def _events(folder: Path) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event as Written
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder = folder / "events"
    writer = EventFileWriter(str(folder))
    for row in ROWS:
        value = Summary.Value(tag="acc", simple_value=row["acc"])
        writer.add_event(Written(step=row["step"], summary=Summary(value=[value])))
    writer.close()
    return next(folder.iterdir()).read_bytes()


def _trainer() -> bytes:
    history = [{"loss": row["loss"], "learning_rate": 1e-3, "step": row["step"]} for row in ROWS]
    return json.dumps({"log_history": history, "global_step": STEPS[-1]}).encode()


def tables(folder: Path) -> dict[str, bytes]:
    """Return one file of every format that `nucleate detect` reads, by its name."""
    from tests.faults.wandb_file import wandb_log

    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    return {
        "t.csv": _csv(),
        "t.tsv": _csv().replace(b",", b"\t"),
        "t.csv.gz": gzip.compress(_csv(), mtime=0),
        "t.jsonl": lines,
        "t.jsonl.gz": gzip.compress(lines, mtime=0),
        "t.json": json.dumps(ROWS).encode(),
        "c.json": json.dumps({"step": STEPS, "acc": VALUES}).encode(),
        "trainer_state.json": _trainer(),
        "t.npz": _npz(),
        "t.parquet": _parquet(),
        "mlflow.db": _sqlite(folder),
        "events.out.tfevents.1": _events(folder),
        "run-a.wandb": wandb_log(ROWS),
    }


def run_folder(path: Path) -> Path:
    """Write a run with everything in its log that reports tell of."""
    recipe = {"corpus": {"kind": "story_world"}, "tokens": 4096000}
    with RunWriter.create(path, Manifest("made", recipe, {"torch": "2"}, {"model": 0})) as writer:
        for step, value in zip(STEPS, VALUES, strict=True):
            at = Step(step // 100, step, step * 1e6, step / 1e3, 1e-3)
            reading = Reading(
                "a.b.accuracy", value, 0.02, 4, 0.1, "fraction", Level.SYNTAX, (0.1,) * 4
            )
            writer.reading(at, reading)
            writer.loss(at, 3 - value, 1.0)
        writer.event(Event(at, "note", "something happened"))
        writer.ledger([LedgerEntry("mlp", 1e9, 3.0), LedgerEntry("probes", 1e7, 1.0)])
        writer.finish("finished", at)
    return path
