"""Tasks of a study on Ray: the outcomes of this process, failures and dead workers included."""

from __future__ import annotations

import json
import os

import pytest

from nucleate.core import UserError
from nucleate.core.settings import load_yaml
from nucleate.studies.savings.pool import Task, here

TASKS = [
    Task("threads", os.getenv, {"key": "OMP_NUM_THREADS"}),
    Task("mistake", load_yaml, {"path": "nowhere.yaml"}),
    Task("defect", json.loads, {"s": "{"}),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own future
def test_two_ray_workers_tell_what_one_process_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install 'nucleate[ray]')")
    from nucleate.bridges.ray_runs import RayRuns

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tasks = [Task("death", os._exit, {"status": 9}), *TASKS]
    found = {outcome.key: outcome for outcome in RayRuns(2)(tasks)}
    assert found.pop("death").error.startswith("a Ray worker died")
    alone = {outcome.key: outcome for outcome in here(TASKS)}
    assert {key: (one.value, one.error, one.mistake) for key, one in found.items()} == {
        key: (one.value, one.error, one.mistake) for key, one in alone.items()
    }
    assert found["threads"].value == "1"


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from nucleate.bridges.ray_runs import RayRuns

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs the package ray.*pip install 'nucleate\[ray\]'"):
        next(RayRuns(2)([TASKS[0]]))
