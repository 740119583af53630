from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.store import Run
from nucleate.views.analysis import Analysis, analyse
from tests.unit.views.synthetic import write_run


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "a")


@pytest.fixture(scope="session")
def analysis(run_path: Path) -> Analysis:
    return analyse(Run.open(run_path))
