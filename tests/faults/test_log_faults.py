"""The log under attack: truncation, flipped bits, kill -9."""

import os
import random

import pytest

from nucleate.core import Reading, RunFolderError, Step
from nucleate.store import LogReader, Manifest, Run, RunWriter
from nucleate.store.doctor import examine

LAST = 4096


@pytest.fixture
def log(tmp_path):
    with RunWriter.create(tmp_path / "run", Manifest("faults")) as writer:
        for step in range(1, 7):
            writer.loss(Step(step, step), step / 7, 1.0)
        writer.reading(Step(6, 6), Reading("a.b.nats", 1.0, items=(0.5, 1.5)))
    return tmp_path / "run" / "log" / "000001.jsonl"


def read(segment):
    reader = LogReader(segment.parent)
    return list(reader.read()), reader.damaged


def test_truncation_leaves_exactly_the_complete_prefix(tmp_path, capsys):
    """Cut at each of the last 4,096 bytes."""
    with RunWriter.create(tmp_path / "run", Manifest("cut")) as writer:
        for step in range(1, 16):
            writer.loss(Step(step, step), step / 7, 1.0)
            writer.reading(Step(step, step), Reading("a.b.nats", 1.0, items=(0.5,) * step))
    segment = tmp_path / "run" / "log" / "000001.jsonl"
    content = segment.read_bytes()
    records, _ = read(segment)
    assert len(content) > LAST
    exact = 0
    for cut in range(len(content) - 1, len(content) - LAST - 1, -1):
        os.truncate(segment, cut)
        exact += read(segment) == (records[: content[:cut].count(b"\n")], 0)
    with capsys.disabled():
        print(f"\ntruncated at {LAST:,} offsets: exactly the complete prefix at {exact:,}")
    assert exact == LAST == 4096


def test_every_flipped_bit_is_noticed(log):
    content = log.read_bytes()
    records, _ = read(log)
    generator = random.Random(0)
    all_bits_from = content[:-1].rindex(
        b"\n"
    )  # of the last record, and one bit of each byte before
    with log.open("r+b", buffering=0) as file:
        for position, byte in enumerate(content):
            bits = range(8) if position >= all_bits_from else [generator.randrange(8)]
            for bit in bits:
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), position)
                found, damaged = read(log)
                assert damaged >= 1, (position, bit)
                assert len(found) >= len(records) - 2
                assert all(one in records for one in found)
            os.pwrite(file.fileno(), bytes([byte]), position)
    assert read(log) == (records, 0)


@pytest.mark.parametrize("seed", range(20))
def test_garbage_never_crashes_the_reader(log, seed):
    generator = random.Random(seed)
    content = bytearray(log.read_bytes())
    start = generator.randrange(len(content))
    content[start : start + generator.randrange(300)] = generator.randbytes(
        generator.randrange(300)
    )
    log.write_bytes(content)
    run = Run.open(log.parents[1])
    run.curves()
    assert run.status == "interrupted"


def test_a_disk_that_fills_up_costs_one_record(tmp_path):
    """The size limit of a process stands in for a full disk; the write is then really cut short."""
    resource = pytest.importorskip("resource")
    writer = RunWriter.create(tmp_path / "run", Manifest("full"))
    writer.loss(Step(1, 1), 1.0, 1.0)
    segment = tmp_path / "run" / "log" / "000001.jsonl"
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room, message in ((30, "cut short"), (0, "cannot be written")):
        limit = segment.stat().st_size + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
        try:
            with pytest.raises(RunFolderError, match=message):
                writer.loss(Step(2, 2), 2.0, 1.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    writer.loss(Step(3, 3), 3.0, 1.0)
    writer.close()
    run = Run.open(tmp_path / "run")
    assert run.losses()[1] == [1.0, 3.0]
    assert run.damaged == 1


def test_a_forked_child_does_not_keep_the_run_locked(tmp_path):
    writer = RunWriter.create(tmp_path / "run", Manifest("fork"))
    lock = os.dup(writer._lock._file)  # what a child of fork shares with its parent
    writer.close()
    assert Run.open(tmp_path / "run").status == "interrupted"
    RunWriter.resume(tmp_path / "run", Step(0, 0)).close()
    os.close(lock)


def test_a_folder_in_the_place_of_a_segment_is_one_line(tmp_path):
    RunWriter.create(tmp_path / "run", Manifest("folder")).close()
    (tmp_path / "run" / "log" / "000002.jsonl").mkdir()
    for look in (lambda path: Run.open(path).status, examine):
        with pytest.raises(RunFolderError, match=r"000002\.jsonl: the log cannot be read"):
            look(tmp_path / "run")


@pytest.mark.parametrize("line", [0, 1])
def test_damage_to_the_start_of_a_back_filling_attempt_hides_nothing(tmp_path, line):
    path = tmp_path / "run"
    with RunWriter.create(path, Manifest("back")) as writer:
        for step in (1, 2, 3):
            writer.readings(Step(step, 10 * step), [Reading("a.nats", float(step))])
        writer.finish("finished", Step(3, 30))
    with RunWriter.backfill(path) as writer:
        writer.readings(Step(1, 10), [Reading("b.nats", 1.0)])
    segment = path / "log" / "000002.jsonl"
    lines = segment.read_bytes().split(b"\n")
    lines[line] = lines[line].replace(b'"step":3', b'"step":7')
    segment.write_bytes(b"\n".join(lines))
    run = Run.open(path)
    assert run.damaged == 1
    assert run.curves()["a.nats"].values == (1.0, 2.0, 3.0)
    assert run.status == "finished"
