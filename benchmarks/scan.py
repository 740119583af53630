"""Scan a series beside lm-eval: items per second, whole processes, on the same checkpoints.

Run with ``make bench-scan``. Three ways to ask 12 checkpoints (4 layers, width 128) 10,000 minimal
pairs and 2,000 four-way items: ours, one process for all; lm-eval's command line, a process for
each checkpoint, as its documentation says; lm-eval as a library, one process, its tasks built
once. All read the same task files. Ours runs before and after the others, so that a change of the
machine's load shows.

``--memory 5`` measures nothing but memory: a scan and one checkpoint with a batch, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scan_sides import NAMES, checkpoints

TASKS = ",".join(f"nucleate_{name}" for name in NAMES)
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the wall, seconds of processor, peak memory in MB."""

    wall: float
    cpu: float
    peak: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


def main() -> None:
    """Make the material, run all sides, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--choices", type=int, default=2_000)
    parser.add_argument("--default-batch", type=int, default=1, metavar="N")
    parser.add_argument("--threads", type=int, default=0, help="0 for what torch takes")
    parser.add_argument("--batch", type=int, default=64, help="sequences of a batch of lm-eval")
    parser.add_argument("--folder", type=Path, help="keep the material here, or take it from here")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="memory alone, N times")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = wish.folder or Path(name)
        if not (folder / "series").is_dir():
            _make(folder, wish.checkpoints, wish.pairs, wish.choices)
        found = _memory(folder, wish) if wish.memory else _run(folder, wish)
    (_print_memory if wish.memory else _print)(found, wish)
    if wish.json:
        wish.json.write_text(json.dumps(found, default=vars, indent=1))


def _make(folder: Path, *sizes: int) -> None:
    """Make the material in a process of its own.

    Linux counts towards the peak of a process what the one that starts it holds at that moment:
    this one must stay small.
    """
    command = [sys.executable, "-m", "benchmarks.scan_material", str(folder), *map(str, sizes)]
    subprocess.run(command, check=True)


def _side(
    folder: Path, extra: dict[str, str], name: str, *more: int
) -> tuple[Cost, dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.scan_sides", name, str(folder), *map(str, more)]
    cost, text = _timed(command, extra)
    return cost, json.loads(text.splitlines()[-1])


def _threads(wish: argparse.Namespace) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(wish.threads)} if wish.threads else {}


def _memory(folder: Path, wish: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"ours": [], "one checkpoint and a batch": []}
    for _ in range(wish.memory):
        for name, side in (("ours", "ours"), ("one checkpoint and a batch", "one_batch")):
            found[name].append(_side(folder, _threads(wish), side)[0])
            print(
                f"{name}: {found[name][-1].peak:.0f} MB, {found[name][-1].wall:.0f} s", flush=True
            )
    return found


def _print_memory(found: dict[str, Any], wish: argparse.Namespace) -> None:
    ours, floor = (
        sorted(cost.peak for cost in found[name]) for name in ("ours", "one checkpoint and a batch")
    )
    middle = statistics.median(floor)
    print(
        f"peak memory over one checkpoint and a batch, {wish.memory} of each:"
        f" medians {statistics.median(ours) / middle:.2f}×,"
        f" the worst scan over the median batch {ours[-1] / middle:.2f}×,"
        f" over the smallest {ours[-1] / floor[0]:.2f}×"
    )


def _run(folder: Path, wish: argparse.Namespace) -> dict[str, Any]:
    extra = _threads(wish)

    def side(name: str, *more: int) -> tuple[Cost, dict[str, Any]]:
        return _side(folder, extra, name, *more)

    first, answers = side("ours")
    memory, peer = side("in_memory", wish.batch)
    process = Cost(0, 0, 0)
    for home in checkpoints(folder):
        process += _command_line(folder, home, wish.batch, extra)
    plain = Cost(0, 0, 0)
    for home in checkpoints(folder)[: wish.default_batch]:
        plain += _command_line(folder, home, 1, extra)
    second, _ = side("ours")
    floor, _ = side("one_batch")
    return {
        "ours": first,
        "ours again": second,
        "command line": process,
        "command line, its default batch of 1": plain,
        "in memory": memory,
        "one checkpoint and a batch": floor,
        "seconds inside": {"ours": answers["seconds"], "in memory": peer["seconds"]},
        "scoring alone": peer["scoring"],
        "skipped": answers["skipped"],
        "unequal": _unequal(answers["accuracy"], peer["accuracy"]),
    }


def _command_line(folder: Path, home: Path, batch: int, extra: dict[str, str]) -> Cost:
    command = ["lm_eval", "run", "--model", "hf", "--device", "cpu", "--tasks", TASKS]
    command += ["--model_args", f"pretrained={home},dtype=float32", "--batch_size", str(batch)]
    command += ["--include_path", str(folder / "tasks"), "--output_path", str(folder / "peer")]
    command[0] = str(Path(sys.executable).with_name("lm_eval"))
    cache = {"HF_DATASETS_CACHE": str(folder / "cache")}
    return _timed(command, extra | cache)[0]


def _timed(command: list[str], extra: dict[str, str]) -> tuple[Cost, str]:
    """Run a process; return what it took and what it printed.

    Raises:
        RuntimeError: It failed.
    """
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env=os.environ | OFFLINE | extra
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        out.seek(0)
        if process.returncode:
            err.seek(0)
            raise RuntimeError(f"{' '.join(command)}\n{err.read()[-2000:]}")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit), out.read()


def _unequal(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Accuracies that differ, as sentences; of options that tie, lm-eval takes the first."""
    return [
        f"{name} {task}: {low} to {high} and {value}"
        for name, own in second.items()
        for task, value in own.items()
        for low, high in [first[name][task]]
        if not low - 1e-9 <= value <= high + 1e-9
    ]


def _print(found: dict[str, Any], wish: argparse.Namespace) -> None:
    items = wish.checkpoints * (wish.pairs + wish.choices)
    ours = Cost(*(sum(pair) / 2 for pair in zip(*_two(found), strict=True)))
    print(
        f"{wish.checkpoints} checkpoints, {wish.pairs:,} pairs and {wish.choices:,} four-way items"
    )
    one = found["command line, its default batch of 1"]
    scaled = wish.checkpoints / max(1, wish.default_batch)
    rows = {
        "nucleate, one process": ours,
        f"lm-eval command line, batches of {wish.batch}": found["command line"],
        f"lm-eval in memory, batches of {wish.batch}": found["in memory"],
    }
    if wish.default_batch:
        scale = Cost(one.wall * scaled, one.cpu * scaled, one.peak)
        rows[f"lm-eval command line, its defaults ({wish.default_batch} run, scaled)"] = scale
    for name, cost in rows.items():
        print(
            f"{name}: {cost.wall:.0f} s, {items / cost.wall:,.0f} items/s"
            f" ({cost.wall / ours.wall:.2f}× the time; processor {cost.cpu:.0f} s,"
            f" {cost.cpu / ours.cpu:.2f}×), peak {cost.peak:.0f} MB"
        )
    walls = ", ".join(f"{found[name].wall:.0f} s" for name in ("ours", "ours again"))
    inside = found["seconds inside"]
    print(f"nucleate before and after the others: {walls}")
    print(
        f"without start and items: {inside['in memory'] / inside['ours']:.2f}×"
        f" ({inside['ours']:.0f} s; lm-eval {inside['in memory']:.0f} s,"
        f" of these {found['scoring alone']:.0f} s inside its loglikelihood)"
    )
    floor = found["one checkpoint and a batch"].peak
    print(f"peak memory over one checkpoint and a batch: {ours.peak / floor:.2f}×")
    print(f"accuracies that differ: {'; '.join(found['unequal']) or 'none'}")
    print(f"left out by the integrity check: {', '.join(found['skipped']) or 'none'}")


def _two(found: dict[str, Any]) -> list[tuple[float, float, float]]:
    return [(c.wall, c.cpu, c.peak) for c in (found["ours"], found["ours again"])]


if __name__ == "__main__":
    main()
