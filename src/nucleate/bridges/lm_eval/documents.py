"""The documents of an lm-eval task: its splits, loaded by `datasets` as lm-eval loads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.bridges.lm_eval.functions import twin
from nucleate.bridges.lm_eval.yamls import Code, Config
from nucleate.core import DataError

Doc = dict[str, Any]

_LOCAL = ("json", "parquet", "csv", "text")
_ACTING = ("pandas", "generator", "spark", "sql")
"""Loaders of datasets that unpickle (until version 5) or act on more than files."""
_KEYS = ("data_files", "data_dir", "revision", "field", "delimiter", "sep", "column_names", "name")
"""Arguments of ``load_dataset`` that only say what to read."""


@dataclass
class Documents:
    """The splits of a task's data set; each is loaded and processed once.

    Args:
        config: The task.
        path: Its YAML file; data files are looked for beside it too.
    """

    config: Config
    path: Path
    _splits: dict[str, list[Doc]] = field(default_factory=dict)

    def evaluated(self) -> list[Doc]:
        """Return what is asked: the test split, else the validation split.

        Raises:
            DataError: The task names neither, or they cannot be loaded.
        """
        name = self._split("test_split") or self._split("validation_split")
        if name is None:
            raise DataError("task has no test_split and no validation_split", where=self.path)
        return self.split(name, self.config.get("process_docs"))

    def shots(self) -> list[Doc]:
        """Return what examples are drawn from, by lm-eval's order of preference.

        Raises:
            DataError: As for `evaluated`.
        """
        own = self.config.get("fewshot_config") or {}
        process = own.get("process_docs", self.config.get("process_docs"))
        name = own.get("split") or self.config.get("fewshot_split")
        if name is not None:
            return self.split(name, process)
        samples = own.get("samples")
        if isinstance(samples, list):
            return samples
        if isinstance(samples, Code):
            twin(samples, str(self.path))
        name = self._split("training_split") or self._split("validation_split")
        chosen = name or self._split("test_split") or ""
        return self.split(chosen, self.config.get("process_docs"))

    def split(self, name: str, process: object = None) -> list[Doc]:
        """Return the documents of a split, after the task's ``process_docs``.

        Raises:
            DataError: The split cannot be loaded, or its processing is foreign code.
        """
        if name not in self._splits:
            self._splits[name] = self._load(name)
        docs = self._splits[name]
        if isinstance(process, Code):
            function = twin(process, str(self.path))
            return [function(doc) for doc in docs]
        return docs

    def _split(self, key: str) -> str | None:
        name = self.config.get(key)
        return name if isinstance(name, str) and name else None

    def _load(self, name: str) -> list[Doc]:
        try:
            from datasets import load_dataset
        except ImportError:
            fix = "pip install 'nucleate[data]'"
            raise DataError("needs the package datasets", where=self.path, fix=fix) from None
        where = self.config.get("dataset_path")
        if not isinstance(where, str):
            raise DataError("task names no dataset_path", where=self.path)
        if where in _ACTING:
            what = f"dataset_path {where!r} can run code while it loads"
            raise DataError(what, where=self.path, expected=f"{', '.join(_LOCAL)} or a hub name")
        try:
            with _no_bars():
                loaded = load_dataset(
                    where, self.config.get("dataset_name"), split=name, **self._arguments(where)
                )
            return [dict(row) for row in loaded]
        except Exception as error:  # datasets raises its own and those of its transports
            what = f"split {name!r} of {where} cannot be loaded: {type(error).__name__}: {error}"
            raise DataError(what, where=self.path, fix="check path and connection") from None

    def _arguments(self, where: str) -> dict[str, Any]:
        given = dict(self.config.get("dataset_kwargs") or {})
        given.pop("trust_remote_code", None)
        unknown = sorted(set(given) - set(_KEYS))
        if unknown:
            expected = ", ".join(_KEYS)
            raise DataError(
                f"dataset_kwargs {unknown[0]!r} is not read", where=self.path, expected=expected
            )
        if where in _LOCAL and "data_files" in given:
            given["data_files"] = self._found(given["data_files"])
        return given

    def _found(self, files: Any) -> Any:
        """Return data files as they are where they exist, else those beside the YAML file."""
        if isinstance(files, Mapping):
            return {key: self._found(value) for key, value in files.items()}
        if isinstance(files, Sequence) and not isinstance(files, str):
            return [self._found(value) for value in files]
        beside = self.path.parent / str(files)
        return str(beside) if not Path(str(files)).exists() and beside.exists() else files


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the progress bars of `datasets` out of what a command prints."""
    from datasets.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()
