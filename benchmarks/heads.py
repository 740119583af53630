"""What looking at every head costs: ratios to one plain forward pass, and peak memory.

    python -m benchmarks.heads
    python -m benchmarks.heads --size base --rows 8 --context 128

Seconds are those of the processor, one thread, so that other work on the machine counts little.
Sides, in turn in one process: the plain forward pass with its logits; ours with all scores of one
pass (attention patterns, direct logit attribution) on rows of the story world; the geometry of
every layer (ranks, spectrum, intrinsic dimension, CKA between layers: mostly NumPy, not passes);
the two together; residual streams reduced layer by layer; copying, by weights alone; ablation of
every head; and, where it is installed, TransformerLens' ``run_with_cache``. Memory is what a fresh
process takes on top of model and rows while one side runs (Linux only).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from nucleate.corpora.storyworld import Mixture, make_world, vocabulary
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models import ModelSettings, build
from nucleate.models.activations import read_layers
from nucleate.probes.geometry.probes import GeometryItems
from nucleate.probes.mechanism.ablation import ablation_scores
from nucleate.probes.mechanism.copying import copying_scores
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.scores import head_scores
from nucleate.probes.mechanism.story_items import story_head_items
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView

Sides = dict[str, Callable[[], object]]
PLAIN, ABLATED = "plain forward", "every head ablated"


def main() -> None:
    """Print one line for each side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--family", default="llama")
    parser.add_argument("--size", default="base")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-ablation", action="store_true", help="leave out the slow side")
    parser.add_argument("--side", help="run one side once and print the memory it took, in MB")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    made = sides(wish)
    if wish.no_ablation:
        del made[ABLATED]
    if wish.side:
        print(memory(made[wish.side]))
        return
    times = interleaved(made, wish.rounds)
    print(f"{wish.family} {wish.size}, {wish.rows} × {wish.context} tokens")
    for name, took in times.items():
        ratio = median(took) / median(times[PLAIN])
        print(f"{name:34s} {ratio:6.2f} × {1e3 * median(took):8.1f} ms {peak(name):8.1f} MB")


def sides(wish: argparse.Namespace) -> Sides:
    """Return what is timed, by name."""
    world = make_world(0)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    settings = ModelSettings(family=wish.family, size=wish.size)
    model = build(settings, len(tokenizer), 0).eval()
    items = story_head_items(world, Mixture(), tokenizer, rows=wish.rows, context=wish.context)
    ids_BT = items.ids_BT

    def representations() -> None:
        read_layers(model, ids_BT, lambda layer: torch.linalg.svdvals(layer.residual_BTD[:, -1]))

    rows = GeometryItems(ids_BT.numpy(), points=1024)
    geometry = get_probe("geometry")

    def both() -> None:
        head_scores(model, items)
        list(geometry.measure(ModelView(model), rows))

    def plain() -> None:
        with torch.no_grad():
            model(ids_BT, use_cache=False)

    return {
        PLAIN: plain,
        "all head scores": lambda: head_scores(model, items),
        "geometry of all layers": lambda: list(geometry.measure(ModelView(model), rows)),
        "head scores and geometry": both,
        "copying": lambda: copying_scores(model),
        "residual streams, layer by layer": representations,
        ABLATED: lambda: ablation_scores(model, items),
        **lens(model, items),
    }


def lens(model: Any, items: HeadItems) -> Sides:
    """Return what TransformerLens does, if it is there."""
    from nucleate.bridges.transformer_lens import to_transformer_lens
    from nucleate.core import UserError

    try:
        bridge = to_transformer_lens(model)
    except UserError:
        return {}

    def cached() -> None:
        with torch.no_grad():
            bridge.run_with_cache(items.ids_BT)

    return {"TransformerLens, run_with_cache": cached}


def interleaved(made: Sides, rounds: int) -> dict[str, list[float]]:
    """Return seconds of every side, in turn; the slow one in every fifth round only."""
    times: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(-1, rounds):
        for name, run in made.items():
            if name == ABLATED and turn % 5:
                continue
            begin = time.process_time()
            run()
            if turn >= 0:
                times[name].append(time.process_time() - begin)
    return times


def peak(side: str) -> float:
    """Return the memory of a side, in MB, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.heads", *sys.argv[1:], "--side", side]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def memory(run: Callable[[], object]) -> float:
    """Run once and return by how much resident memory rose at its highest, in MB."""
    status = Path("/proc/self/status")

    def kilobytes(key: str) -> int:
        return int(status.read_text().split(f"{key}:")[1].split()[0])

    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = kilobytes("VmRSS")
    run()
    return (kilobytes("VmHWM") - before) / 1024


if __name__ == "__main__":
    main()
