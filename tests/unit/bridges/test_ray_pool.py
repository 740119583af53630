"""Two Ray workers on one machine give the bytes that one process gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nucleate.core import UserError
from nucleate.observe.scan import scan
from nucleate.store import Run

ASK = {"suite": "story", "items": 8, "context": 64}


def values(folder: Path) -> list[tuple[object, str, bytes]]:
    run = Run.open(folder)
    return [
        (step, repr(reading), run.items(reading.metric, step.step).tobytes())
        for step, reading in run.readings()
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own future
def test_two_ray_workers_give_the_same_bytes(
    tmp_path: Path, make_series: Callable[..., Path]
) -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install 'nucleate[ray]')")
    from nucleate.bridges.ray_pool import RayWorkers

    folder = make_series(tmp_path / "s")
    one = scan(folder, out=tmp_path / "one", threads=1, **ASK)
    two = scan(folder, out=tmp_path / "two", worker=RayWorkers(2), threads=1, **ASK)
    assert values(one) == values(two)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from nucleate.bridges.ray_pool import RayWorkers
    from nucleate.observe.scanning.job import Job
    from nucleate.probes.suites import Suite

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs the package ray.*pip install 'nucleate\[ray\]'"):
        next(RayWorkers(2)(Job(Suite("none", (), {})), iter(())))
