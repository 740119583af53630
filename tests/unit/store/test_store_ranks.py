"""Several writers of one run: ranks side by side, attempts, and Readings that come late."""

import threading

import pytest

from nucleate.core import Event, Reading, RunFolderError, Step
from nucleate.core.heads import HeadTable
from nucleate.store import Manifest, Run, RunWriter
from nucleate.store.files import Lock


def at(step):
    return Step(step, step * 1000, step * 1e6)


def nats(value, metric="a.nats", **more):
    return Reading(metric, value, **more)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


def values(path, metric="a.nats"):
    curve = Run.open(path).curves()[metric]
    return dict(zip((step.step for step in curve.steps), curve.values, strict=True))


def test_ranks_write_beside_each_other_and_the_lowest_counts(path):
    with RunWriter.create(path, Manifest("ranks")) as zero:
        two, one = RunWriter.join(path, 2), RunWriter.join(path, 1)
        assert (one.attempt, two.attempt, two.rank) == (1, 1, 2)
        two.readings(at(1), [nats(2.0), nats(22.0, "two.nats")])
        zero.readings(at(2), [nats(0.0)])
        one.reading(at(1), nats(1.0))
        two.readings(at(2), [nats(2.0)])
        two.loss(at(1), 7.0, 1.0)
        zero.loss(at(1), 5.0, 1.0)
        two.event(Event(at(1), "note", "first"))
        zero.event(Event(at(2), "note", "second"))
        one.event(Event(at(1), "note", "third"))
        for writer in (one, two):
            writer.ledger([])
            writer.finish("finished", at(2))
            writer.close()
        run = Run.open(path)
        assert run.status == "running"  # rank 0 has not said that it is over
        assert run.losses()[1] == [5.0]
        assert [event.text for event in run.events()] == ["first", "second", "third"]
        zero.finish("finished", at(2))
    assert run.status == "finished"
    assert values(path) == {1: 1.0, 2: 0.0}
    assert values(path, "two.nats") == {1: 22.0}
    assert len(run.attempts()) == 1


def test_a_rank_left_over_from_an_earlier_attempt_is_superseded_however_late(path):
    zero = RunWriter.create(path, Manifest("left over"))
    late = RunWriter.join(path, 1)
    late.readings(at(10), [nats(10.0)])
    late.readings(at(30), [nats(30.0)])
    zero.close()
    run = Run.open(path)
    assert run.curves()["a.nats"].values == (10.0, 30.0)
    with RunWriter.resume(path, at(20)) as zero:
        assert run.curves()["a.nats"].values == (10.0,)
        zero.readings(at(30), [nats(-30.0)])
        late.readings(at(15), [nats(15.0)])
        late.readings(at(30), [nats(31.0)])
        late.readings(at(40), [nats(40.0)])
    late.close()
    expected = {10: 10.0, 15: 15.0, 30: -30.0}
    assert values(path) == expected  # read from the beginning
    assert dict(zip((10, 15, 30), run.curves()["a.nats"].values, strict=True)) == expected


def test_a_rank_that_comes_back_goes_on_in_its_segment(path):
    with RunWriter.create(path, Manifest("back")):
        first = RunWriter.join(path, 4)
        with pytest.raises(RunFolderError, match="another process; use another rank"):
            RunWriter.join(path, 4)
        first.reading(at(1), nats(1.0))
        first.close()
        segment = path / "log" / "000001.r4.jsonl"
        with segment.open("ab") as file:
            file.write(b'{"crc":"12')  # killed within a record
        with RunWriter.join(path, 4) as again:
            again.reading(at(2), nats(2.0))
    run = Run.open(path)
    assert run.curves()["a.nats"].values == (1.0, 2.0)
    assert run.damaged == 1


def test_a_rank_waits_for_rank_0_of_this_attempt(path):
    RunWriter.create(path, Manifest("wait")).close()
    with pytest.raises(RunFolderError, match="rank 0 has not begun its attempt"):
        RunWriter.join(path, 1, patience=0.05)
    opened = []
    waiting = threading.Thread(target=lambda: opened.append(RunWriter.join(path, 1)))
    waiting.start()
    with RunWriter.resume(path, at(7)):
        waiting.join()
        assert opened[0].attempt == 2
        opened[0].close()
    with pytest.raises(ValueError, match="1 or more, not 0"):
        RunWriter.join(path, 0)


def test_back_filling_adds_and_supersedes_nothing(path):
    with RunWriter.create(path, Manifest("late")) as writer:
        for step in (10, 20, 30):
            writer.readings(at(step), [nats(float(step))])
        writer.finish("finished", at(30))
    with RunWriter.backfill(path) as writer:
        writer.readings(at(10), [nats(-10.0), nats(1.0, "new.nats")])
        writer.readings(at(15), [nats(15.0)])
        assert Run.open(path).status == "finished"
    run = Run.open(path)
    assert values(path) == {10: -10.0, 15: 15.0, 20: 20.0, 30: 30.0}
    assert values(path, "new.nats") == {10: 1.0}
    assert [(a.start.step, a.backfill) for a in run.attempts()] == [(0, False), (30, True)]
    assert (run.last, run.status, run.discarded_flops) == (at(30), "finished", 0.0)
    RunWriter.resume(path, at(12)).close()
    assert values(path) == {10: -10.0}


def test_side_files_of_ranks_attempts_and_looks_never_meet(path):
    with RunWriter.create(path, Manifest("names")) as zero, RunWriter.join(path, 1) as one:
        for writer in (zero, zero, one):
            writer.readings(at(3), [nats(1.0, items=(float(writer.rank),))])
            writer.heads(at(3), HeadTable({}))
    with RunWriter.resume(path, at(3)) as zero:
        zero.readings(at(3), [nats(1.0, items=(9.0,)), nats(2.0, "bare.nats")])
    stems = {"attempt1-step3", "attempt1-step3-2", "attempt1-rank1-step3"}
    assert {file.stem for file in (path / "heads").iterdir()} == stems
    assert {file.stem for file in (path / "items").iterdir()} == stems | {"attempt2-step3"}
    run = Run.open(path)
    assert run.items("a.nats", 3).tolist() == [9.0]
    assert run.items("bare.nats", 3).shape == (0,)
    (path / "items" / "attempt2-step3.safetensors").write_bytes(b"else")
    with pytest.raises(RunFolderError, match="is not what was written"):
        run.items("a.nats", 3)


def test_a_batch_in_which_a_metric_stands_twice_keeps_the_last(path):
    with RunWriter.create(path, Manifest("twice")) as writer:
        writer.readings(at(1), [nats(1.0), nats(2.0)])
        writer.readings(at(2), [])
        for column, wrong in (("value", [1.0]), ("metric", ["x", "x"]), ("level", ["high"] * 2)):
            data = {"at": {"step": 3, "tokens": 1, "flops": 0, "wall": 0, "lr": 0}}
            data |= {"metric": ["x", "y"], "value": [1.0, 2.0], "se": None, "n": 0}
            data |= {"chance": None, "unit": "", "level": "syntax", column: wrong}
            writer._log.append("readings", data)
    run = Run.open(path)
    assert run.curves()["a.nats"].values == (2.0,)
    assert (list(run.curves()), run.damaged) == (["a.nats"], 3)


def test_a_rank_waits_until_the_attempt_has_begun(path):
    """Rank 0 takes the lock before it begins its segment: the last attempt is not the present."""
    with RunWriter.create(path, Manifest("resumed")) as zero:
        zero.readings(at(1), [nats(1.0)])
    lock = Lock(path / "run.lock")
    with pytest.raises(RunFolderError, match="has not begun"):
        RunWriter.join(path, 1, patience=0.05)
    lock.release()
    with RunWriter.resume(path, at(1)), RunWriter.join(path, 1, patience=0.05) as one:
        assert one.attempt == 2
