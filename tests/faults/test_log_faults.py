"""The log under attack: truncation, flipped bits, kill -9."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from nucleate.core import Reading, RunFolderError, Step
from nucleate.store import LogReader, Manifest, Run, RunWriter

WRITER = """
import os, sys
from nucleate.core import Reading, Step
from nucleate.store import Manifest, RunWriter
writer = RunWriter.create(sys.argv[1], Manifest("killed"))
step = 0
while True:
    step += 1
    writer.loss(Step(step, step), step / 7, 1.0)
    writer.reading(Step(step, step), Reading("a.b.nats", step / 3, items=(1.0,) * (step % 99)))
    os.write(1, b"%d\\n" % step)
"""


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


def test_truncation_leaves_exactly_the_complete_prefix(log):
    content = log.read_bytes()
    records, _ = read(log)
    assert len(content) > 512
    for cut in range(len(content) - 1, len(content) - 513, -1):
        os.truncate(log, cut)
        found, damaged = read(log)
        assert found == records[: content[:cut].count(b"\n")]
        assert damaged == 0


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


def test_kill_loses_no_acknowledged_record(tmp_path):
    generator = random.Random(0)
    for attempt in range(10):
        path = tmp_path / f"run{attempt}"
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(generator.uniform(0.0, 0.1))
            os.kill(process.pid, signal.SIGKILL)
            acknowledged = int(process.stdout.read().split(b"\n")[-2])
        run = Run.open(path)
        steps, losses = run.losses()
        assert len(losses) >= acknowledged > 1
        assert losses == [step.step / 7 for step in steps]
        assert len(run.curves()["a.b.nats"].values) >= acknowledged
        assert (run.damaged, run.status) == (0, "interrupted")
        with RunWriter.resume(path, Step(5, 5)) as writer:
            writer.finish("finished", Step(6, 6))
        assert len(run.losses()[0]) == 5
