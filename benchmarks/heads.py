"""What looking at every head and layer costs: ratios to one plain forward pass, and peak memory.

    python -m benchmarks.heads
    python -m benchmarks.heads --size wide --rounds 5 --no-ablation
    python -m benchmarks.heads --size wide --context 1024 --device cuda

Seconds are those of the processor, one thread, so that other work on the machine counts little; a
ratio is the median over rounds, in each of which every side runs once in turn. glibc is told to
keep freed pages for all sides: whether it gives them back, to be faulted in again by the next
pass, is luck, and alone moved sides by up to half a pass.

The rows are those that heads are read on, padded; padding is no point of a representation. With
``--full`` there is none, and every position is one.

Sides: the plain forward pass with its logits; the pass that shows attention, with nothing read;
all head scores (attention patterns, direct logit attribution); geometry (ranks, spectrum,
intrinsic dimension, CKA between layers) and the logit lens, each with a pass of its own; all of
these readings from one pass over the same rows. Copying is from weights alone. A linear probe with
control task is trained, here on one layer. Ablation of every head needs passes by definition: the
line says how many. TransformerLens' ``run_with_cache`` runs where it is installed. Memory is what
a fresh process takes on top of model and rows while one side runs (Linux only). ``wide`` is 12
layers of 768, weights at random. On a CUDA device seconds are those of the wall, after everything
that was asked of the device is done, and memory is what its allocator gave out.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from nucleate.corpora.storyworld import Mixture, make_world, vocabulary
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models import ModelSettings, build
from nucleate.models.activations import read_layers
from nucleate.probes.geometry import control_labels, selectivity
from nucleate.probes.geometry.probes import GeometryItems
from nucleate.probes.inside import LENS_POINTS
from nucleate.probes.mechanism.ablation import ablation_scores
from nucleate.probes.mechanism.copying import copying_scores
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.scores import head_scores, shared_scores
from nucleate.probes.mechanism.story_items import story_head_items
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView

Sides = dict[str, Callable[[], object]]
PLAIN, ABLATED = "plain forward", "every head ablated"
SLOW = (ABLATED, "a linear probe, trained")
WIDE = {"layers": 12, "width": 768, "heads": 12, "context": 1024}
ROWS = 8


def main() -> None:
    """Print one line for each side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--family", default="llama")
    parser.add_argument("--size", default="base", help="tiny, small, base or wide")
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--full", action="store_true", help="random tokens where padding was")
    parser.add_argument("--no-ablation", action="store_true", help="leave out the slow side")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--side", help="run one side once and print the memory it took, in MB")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    made, what = sides(wish)
    if wish.no_ablation:
        del made[ABLATED]
    if wish.side:
        print(memory(made[wish.side]))
        return
    keep_pages()
    on_cuda = wish.device == "cuda"
    times = interleaved(made, wish.rounds, wall if on_cuda else time.process_time)
    print(what)
    for name, took in times.items():
        ratio = median(own / plain for own, plain in zip(took, times[PLAIN], strict=False))
        took_MB = allocated(made[name]) if on_cuda else peak(name)
        print(f"{name:34s} {ratio:6.2f} × {1e3 * median(took):8.1f} ms {took_MB:8.1f} MB")


def sides(wish: argparse.Namespace) -> tuple[Sides, str]:
    """Return what is timed, by name, and a line about rows and model."""
    world = make_world(0)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    wide = wish.size == "wide"
    size: dict[str, Any] = WIDE if wide else {"size": wish.size}
    settings = ModelSettings(family=wish.family, **size)
    model = build(settings, len(tokenizer), 0).eval().to(wish.device)
    shape = {"layers": model.config.num_hidden_layers, "heads": model.config.num_attention_heads}
    every = story_head_items(world, Mixture(), tokenizer, context=wish.context, rows=ROWS, **shape)
    items = some_rows(every, len(every.ids_BT) - ROWS, len(every.ids_BT))
    if wish.full:
        items = filled(items)
    ids_BT = items.ids_BT.to(wish.device)
    apart = GeometryItems(items.ids_BT.numpy(), real=items.real_BT.numpy(), lens_points=LENS_POINTS)
    heads, geometry = apart.together(items)
    probes = {name: get_probe(name) for name in ("geometry", "lens")}

    def asked(name: str) -> None:
        list(probes[name].measure(ModelView(model), apart))

    def readings() -> None:
        view = ModelView(model)
        shared_scores(view, heads)
        for probe in probes.values():
            list(probe.measure(view, geometry))

    def plain() -> None:
        with torch.no_grad():
            model(ids_BT, use_cache=False)

    types_N = items.ids_BT[geometry.kept].numpy()
    classes_N = types_N % 8

    def trained() -> None:
        streams_ND = geometry.streams(ModelView(model))[-1]
        selectivity(streams_ND, classes_N, control_labels(types_N, classes_N))

    made = {
        PLAIN: plain,
        "the pass that shows attention": lambda: read_layers(model, ids_BT, lambda _: None),
        "all head scores": lambda: head_scores(model, items),
        "geometry, a pass of its own": lambda: asked("geometry"),
        "logit lens, a pass of its own": lambda: asked("lens"),
        "all readings of one pass": readings,
        "copying, from weights": lambda: copying_scores(model),
        "a linear probe, trained": trained,
        ABLATED: lambda: ablation_scores(model, items),
        **({} if wish.device == "cuda" else lens(model, items)),
    }
    return made, (
        f"{wish.family} {wish.size}, {shape['layers']} layers of {model.config.hidden_size}, "
        f"{ids_BT.shape[0]} × {ids_BT.shape[1]} tokens, {int(items.real_BT.sum())} no padding; "
        f"ablation: {items.sweep} passes"
    )


def some_rows(items: HeadItems, first: int, last: int) -> HeadItems:
    """Return the part of items that some rows make up."""
    return replace(
        items,
        ids_BT=items.ids_BT[first:last],
        real_BT=items.real_BT[first:last],
        links=tuple(x.of_rows(first, last)[0] for x in items.links),
        behaviours=tuple(x.of_rows(first, last)[0] for x in items.behaviours),
        example=None,
    )


def filled(items: HeadItems) -> HeadItems:
    """Return the same rows with tokens drawn from all of them in place of padding."""
    ids_BT, drawn = items.ids_BT.clone(), torch.Generator().manual_seed(0)
    told, empty = ids_BT[items.real_BT], ~items.real_BT
    ids_BT[empty] = told[torch.randint(len(told), (int(empty.sum()),), generator=drawn)]
    return replace(items, ids_BT=ids_BT, real_BT=torch.ones_like(empty))


def keep_pages() -> None:
    """Tell glibc to keep what is freed."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, the most it takes


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


def interleaved(made: Sides, rounds: int, now: Callable[[], float]) -> dict[str, list[float]]:
    """Return seconds of every side, in turn; the slow ones in every fifth round only."""
    times: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(-1, rounds):
        for name, run in made.items():
            if name in SLOW and turn % 5:
                continue
            begin = now()
            run()
            if turn >= 0:
                times[name].append(now() - begin)
    return times


def wall() -> float:
    """Return the time, once the device has done everything that it was asked."""
    torch.cuda.synchronize()
    return time.perf_counter()


def allocated(run: Callable[[], object]) -> float:
    """Run once and return by how much the device's memory rose at its highest, in MB."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


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
