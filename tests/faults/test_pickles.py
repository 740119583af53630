"""Files that run code when they are unpickled, wherever one could be loaded: none of it runs.

Each holds an object that makes a folder while it is loaded. It must not be there afterwards.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.faults import materials
from tests.faults.one_process import Outcome, nucleate


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def npy(trap: Trap) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.array([trap, 1], dtype=object), allow_pickle=True)
    return out.getvalue()


def npz(trap: Trap, *, named: str = "step") -> bytes:
    out = io.BytesIO()
    np.savez(out, **{named: np.array([trap, 1], dtype=object), "acc": np.arange(2.0)})
    return out.getvalue()


def torch_file(trap: Trap, *, old: bool = False) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save({"w": torch.ones(2), "x": trap}, out, _use_new_zipfile_serialization=not old)
    return out.getvalue()


def parquet(trap: Trap) -> bytes:
    """A table with a pickle in a column, and in what pandas and Arrow keep of its schema."""
    import pyarrow as pa
    from pyarrow import parquet as written

    content = pickle.dumps(trap)
    table = pa.table({"step": [1, 2], "acc": [0.1, 0.2], "x": pa.array([content, content])})
    table = table.replace_schema_metadata({b"pandas": content, b"ARROW:schema": content})
    out = io.BytesIO()
    written.write_table(table, out)
    return out.getvalue()


def zipped(trap: Trap, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, pickle.dumps(trap))
    return out.getvalue()


def joblib_file(trap: Trap) -> bytes:
    joblib = pytest.importorskip("joblib")
    out = io.BytesIO()
    joblib.dump([trap, np.arange(3)], out)
    return out.getvalue()


TABLES: dict[str, tuple[str, Callable[[Trap], bytes]]] = {
    **{f"protocol {n}": ("t.pkl", lambda t, n=n: pickle.dumps(t, n)) for n in range(6)},
    "as CSV": ("t.csv", pickle.dumps),
    "packed": ("t.csv.gz", lambda t: gzip.compress(pickle.dumps(t))),
    "joblib": ("t.joblib", joblib_file),
    "npy": ("t.npy", npy),
    "npz": ("t.npz", npz),
    "npz, another column": ("u.npz", lambda t: npz(t, named="epoch")),
    "torch": ("t.pt", torch_file),
    "torch, old": ("old.pt", lambda t: torch_file(t, old=True)),
    "zip": ("t.zip", lambda t: zipped(t, "archive/data.pkl")),
    "parquet": ("t.parquet", parquet),
}


def check(mark: Path, outcome: Outcome, *, may_be_read: bool = False) -> None:
    assert not mark.exists(), "code ran"
    assert outcome.code in ((0, 2) if may_be_read else (2,)), outcome.err
    assert not outcome.wrong


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("case", TABLES)
def test_tables(tmp_path: Path, case: str) -> None:
    name, make = TABLES[case]
    mark, path = tmp_path / "ran", tmp_path / name
    path.write_bytes(make(Trap(mark)))
    check(mark, nucleate("detect", path, "--json"), may_be_read=case == "parquet")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "model.pt"])
@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_weights(tmp_path: Path, make_series, name: str, old: bool) -> None:
    """In a whole series, in the place of one checkpoint's weights."""
    series = make_series(tmp_path / "series", manifest=False)
    for step in (4, 6, 9, 12, 16, 20):
        shutil.rmtree(series / f"step{step}")
    mark = tmp_path / "ran"
    for step in (1, 2):
        (series / f"step{step}" / "model.safetensors").unlink()
        (series / f"step{step}" / name).write_bytes(torch_file(Trap(mark), old=old))
    check(mark, nucleate("scan", series, "--out", tmp_path / "out", "--suite", "story"))


def test_a_run_folder(tmp_path: Path) -> None:
    """In the place of every file that views read, and of the caches beside them."""
    sound = materials.run_folder(tmp_path / "sound")
    nucleate("report", sound)
    names = [
        "run.json",
        "log/000001.jsonl",
        "analysis.json",
        "heads.json",
        "heads/000001.safetensors",
    ]
    for number, name in enumerate(names):
        run, mark = tmp_path / f"run{number}", tmp_path / f"ran{number}"
        shutil.copytree(sound, run)
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_bytes(pickle.dumps(Trap(mark)))
        check(mark, nucleate("report", run), may_be_read=True)


def test_a_resume_point(tmp_path: Path) -> None:
    run, mark = materials.run_folder(tmp_path / "run"), tmp_path / "ran"
    log = (run / "log" / "000001.jsonl").read_text().splitlines(keepends=True)
    (run / "log" / "000001.jsonl").write_text("".join(log[:-1]))  # it has not finished
    (run / "resume").mkdir()
    for name in ("optimizer.safetensors", "model.safetensors", "state.json", "optimizer.json"):
        (run / "resume" / name).write_bytes(torch_file(Trap(mark)))
    (run / "resume" / "manifest.json").write_bytes(pickle.dumps(Trap(mark)))
    check(mark, nucleate("train", "--resume", run))


@pytest.mark.parametrize("name", ["t.pkl", "t.parquet"])
def test_texts(tmp_path: Path, name: str) -> None:
    mark, path = tmp_path / "ran", tmp_path / name
    path.write_bytes(pickle.dumps(Trap(mark)))
    check(mark, nucleate("train", "--text", path, "--out", tmp_path / "out"))


@pytest.mark.parametrize("builder", ["pandas", "webdataset", "json", "parquet"])
def test_tasks_of_lm_eval(tmp_path: Path, builder: str) -> None:
    """A task may name the loader of its documents; one of them would unpickle."""
    pytest.importorskip("datasets")
    mark, data = tmp_path / "ran", tmp_path / "d.pkl"
    data.write_bytes(pickle.dumps(Trap(mark)))
    task = {
        "task": "t",
        "dataset_path": builder,
        "dataset_kwargs": {"data_files": {"test": str(data)}, "trust_remote_code": True},
        "test_split": "test",
        "doc_to_text": "{{a}}",
        "doc_to_target": "{{b}}",
        "output_type": "loglikelihood",
    }
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(task))
    outcome = nucleate("suite", "import", tmp_path / "t.yaml")
    assert "t.yaml: " in outcome.err  # the task was read, and its documents were asked for
    check(mark, outcome)


def test_a_folder_of_datasets(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    mark, folder = tmp_path / "ran", tmp_path / "set"
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "d.arrow"}]}))
    (folder / "dataset_info.json").write_text("{}")
    (folder / "d.arrow").write_bytes(pickle.dumps(Trap(mark)))
    check(mark, nucleate("train", "--text", f"hf:{folder}", "--out", tmp_path / "out"))


def test_nothing_in_the_source_unpickles() -> None:
    """Where the source could load a pickle, it says why it is none of somebody else's."""
    import re

    allowed = {"observe/scanning/work.py"}  # between a scan and the workers it has started
    risky = re.compile(
        r"pickle\.loads?\(|allow_pickle=True|weights_only=False|joblib\.load|read_pickle"
        r"|trust_remote_code=True|yaml\.(unsafe_|full_)?load\((?!.*Loader)"
        r"|(?<![.\w`])(?<!def )(eval|exec)\([^)]"
    )
    root = Path(__file__).parents[2] / "src" / "nucleate"
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for line in path.read_text().splitlines()
        if risky.search(line)
    }
    assert found <= allowed
