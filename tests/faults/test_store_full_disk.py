"""A disk that fills up while a model trains changes not one bit of it, and is told of once.

The largest size of a file that a process may write stands in for the disk: the kernel then cuts
writes short and refuses the rest, to the log as to side files, checkpoints and resume points.
"""

import random
import warnings

import pytest
import torch

from nucleate.store import Run, RunWriter
from nucleate.store.manifest import Manifest
from nucleate.train.loop import Loop
from nucleate.train.recipe import Recipe
from nucleate.train.session import run as train
from nucleate.train.workload import build_workload

resource = pytest.importorskip("resource")

OFFSETS = 50
RECIPE = {
    "name": "full",
    "tokens": 384,
    "rows": 2,
    "context": 64,
    "model": {"layers": 1, "width": 16, "heads": 2},
    "schedule": {"warmup_tokens": 256},
    "probes": {"per_decade": 6, "first_tokens": 256, "cost_cap": 50, "items": 8},
    "resume_every": 128,
}


@pytest.fixture(scope="module")
def recipe():
    return Recipe(**RECIPE)


@pytest.fixture(scope="module")
def workload(recipe):
    return build_workload(recipe)


def trained(recipe, workload, path, limit):
    """Train while no file may grow beyond a size; return the weights and what was warned of."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RunWriter.create(path, Manifest("full")) as writer:
        loop = Loop(recipe, workload, writer)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
            try:
                loop.run()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert loop.ended
    return loop.training.model.state_dict(), [str(one.message) for one in told]


def test_training_on_a_full_disk(recipe, workload, tmp_path, capsys):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    whole, told = trained(recipe, workload, tmp_path / "whole", unlimited)
    assert told == []
    size = (tmp_path / "whole" / "log" / "000001.jsonl").stat().st_size
    generator = random.Random(0)
    offsets = sorted(generator.sample(range(400, size), OFFSETS))
    identical, once, kept = 0, 0, 0
    for offset in offsets:
        path = tmp_path / str(offset)
        weights, told = trained(recipe, workload, path, offset)
        identical += all(torch.equal(whole[name], weights[name]) for name in whole)
        once += len(told) == 1 and "gaps from here on" in told[0]
        run = Run.open(path)
        kept += run.status == "interrupted" and run.damaged <= 1
    with capsys.disabled():
        print(
            f"\ndisk full at {OFFSETS} offsets: identical weights after {identical}, "
            f"one warning in {once}, the record readable after {kept}"
        )
    assert (identical, once, kept) == (OFFSETS, OFFSETS, OFFSETS)


def test_space_again_is_told_in_the_record(tmp_path):
    from nucleate.core import Step
    from nucleate.store import TolerantWriter

    with RunWriter.create(tmp_path / "run", Manifest("gap")) as inner:
        writer = TolerantWriter(inner)
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = (tmp_path / "run" / "log" / "000001.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
        try:
            with pytest.warns(UserWarning, match="gaps from here on"):
                writer.loss(Step(1, 1), 1.0, 1.0)
            writer.loss(Step(2, 2), 2.0, 1.0)  # a second warning would be an error here
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        writer.loss(Step(3, 3), 3.0, 1.0)
        writer.loss(Step(4, 4), 4.0, 1.0)
    run = Run.open(tmp_path / "run")
    assert run.losses()[1] == [3.0, 4.0]
    (event,) = run.events()
    assert (event.step.step, event.kind) == (3, "not recorded")
    assert event.text.startswith("2 writes failed before this point: ")


def test_numbers_are_kept_where_only_their_items_do_not_fit(tmp_path):
    from nucleate.core import Reading, RunFolderError, Step

    with RunWriter.create(tmp_path / "run", Manifest("items")) as writer:
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, usual[1]))
        try:
            with pytest.raises(
                RunFolderError, match=r"attempt1-step1\.safetensors: cannot be written"
            ):
                writer.readings(Step(1, 1), [Reading("a.nats", 0.5, items=(1.0,) * 1000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    run = Run.open(tmp_path / "run")
    assert run.curves()["a.nats"].values == (0.5,)
    assert run.items("a.nats", 1).shape == (0,)
    assert list((tmp_path / "run" / "items").iterdir()) == []


def test_a_last_state_that_was_not_saved_is_an_error(recipe, tmp_path, monkeypatch):
    from nucleate.core import CheckpointError, RunFolderError
    from nucleate.train import loop

    def full(*_):
        raise CheckpointError("cannot be written", got="No space left on device")

    monkeypatch.setattr(loop, "save_state", full)
    with (
        pytest.warns(UserWarning, match="gaps from here on"),
        pytest.raises(RunFolderError, match="trained to its end, but that could not be saved"),
    ):
        train(recipe, tmp_path / "run")
    assert Run.open(tmp_path / "run").status == "interrupted"
