"""Train the network of `nucleate.detect.network` on generated curves.

python -m benchmarks.detect.training --draws FOLDER --out WEIGHTS
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool1d
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.detect.training.draws import SORTS, Draws, joined, load
from benchmarks.detect.training.model import Model
from nucleate.detect.network.picture import BINS

BATCH = 128
SHARE_VARIED = 0.5
"""Share of the curves of `--varied` and `--spiked` seeds that are `varied` ones."""

AVERAGED = 0.9995
"""The weights that are kept are an average over the last steps: what stays of it at each."""

BESIDE = 2
"""Places on either side of a change that count as its place: where exactly, likelihoods say."""


def main() -> None:
    """Train, print what it finds on curves held out, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=Path, required=True, help="folder of generated curves")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--varied", type=int, default=0, help="seeds of which some are varied")
    parser.add_argument("--spiked", type=int, default=0, help="seeds with spikes beside changes")
    parser.add_argument("--curves", type=int, default=25_000, help="curves of each seed")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=56)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--start", type=Path, help="weights to start from")
    options = parser.parse_args()
    torch.manual_seed(0)
    train = load(options.draws, [1001 + i for i in range(options.seeds)], options.curves)
    if options.varied:
        seeds = [1101 + i for i in range(options.varied)]
        varied = load(options.draws, seeds, options.curves, share_varied=SHARE_VARIED)
        train = joined(train, varied)
    if options.spiked:
        seeds = [1201 + i for i in range(options.spiked)]
        spiked = load(options.draws, seeds, options.curves, spiked=True, share_varied=SHARE_VARIED)
        train = joined(train, spiked)
    held_out = [load(options.draws, [2001], 12_000)]
    if options.spiked:
        held_out.append(load(options.draws, [2201], 6_000, spiked=True))
    model = Model(options.width)
    if options.start:
        kept = np.load(options.start)
        names = [name for name in kept.files if not name.startswith("null.")]
        model.load_state_dict({name: torch.from_numpy(kept[name].astype("f4")) for name in names})
    print(f"{sum(weight.numel() for weight in model.parameters())} weights", flush=True)
    fit(model, train, held_out, options.epochs, options.rate, options.out)


def fit(
    model: Model, train: Draws, held_out: list[Draws], epochs: int, rate: float, out: Path
) -> None:
    """Train with AdamW and one cycle of the learning rate; every other curve is mirrored."""
    num = len(train.span)
    steps = epochs * (num // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps + 1, pct_start=0.1)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED))
    started = time.perf_counter()
    for epoch in range(epochs):
        order = np.random.default_rng([7, epoch]).permutation(num)
        model.train()
        total = 0.0
        for begin in range(0, num - BATCH + 1, BATCH):
            some = np.sort(order[begin : begin + BATCH])
            pictures = torch.from_numpy(train.picture[some].astype(np.float32))
            pictures[::2, 0] *= -1.0
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(pictures)
            goal = widened(torch.from_numpy(train.target[some].astype(np.float32)))
            loss = binary_cross_entropy_with_logits(logits.float(), goal)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(model)
            total += loss.item()
        mean = total / (num // BATCH)
        print(f"epoch {epoch}: loss {mean:.5f}, {time.perf_counter() - started:.0f} s", flush=True)
        for draws in held_out:
            tell(averaged.module, draws)
        weights = averaged.module.state_dict()
        np.savez_compressed(
            out, **{k: v.detach().numpy().astype(np.float16) for k, v in weights.items()}
        )


def widened(target: torch.Tensor) -> torch.Tensor:
    """Return targets by place, ``(s, l, 2)``: one at a change and beside it."""
    places = max_pool1d(target, 2)
    return max_pool1d(places, 2 * BESIDE + 1, 1, BESIDE).transpose(1, 2)


@torch.no_grad()
def tell(model: Model, draws: Draws, rate: float = 0.01) -> None:
    """Print what is found where one smooth curve in a hundred is claimed, by sort."""
    model.eval()
    scores = np.concatenate(
        [
            model(torch.from_numpy(draws.picture[i : i + 500].astype(np.float32))).amax(-1).numpy()
            for i in range(0, len(draws.span), 500)
        ]
    )
    best = scores.max(1)
    smooth = np.sort(best[draws.sort == SORTS.index("smooth")])[::-1]
    least = smooth[int(rate * smooth.size)]
    parts, hits, all_changes, false = [], 0, 0, 0
    for number, sort in enumerate(SORTS):
        mine = np.flatnonzero(draws.sort == number)
        if not mine.size:
            continue
        if not draws.target[mine[0]].any():
            parts.append(f"{sort} {np.mean(best[mine] >= least):.3f}")
            continue
        counts = np.array([_hits(scores[i], draws.target[i], draws.span[i], least) for i in mine])
        parts.append(f"{sort} {counts[:, 0].sum() / counts[:, 1].sum():.3f}")
        hits, all_changes = hits + counts[:, 0].sum(), all_changes + counts[:, 1].sum()
        false += counts[:, 2].sum()
    precision = hits / max(hits + false, 1)
    print(f"  found {hits / all_changes:.3f}, precision {precision:.3f}: {', '.join(parts)}")


def _hits(score: np.ndarray, target: np.ndarray, span: float, least: float) -> tuple[int, int, int]:
    """Return changes found, changes there, claims of nothing."""
    score, reach = score.copy(), 0.2 / span * score.size
    truth = list(np.flatnonzero(target.max(0)) / BINS * score.size)
    num, hits, false = len(truth), 0, 0
    for _ in range(4):
        top = int(score.argmax())
        if score[top] < least:
            break
        near = [place for place in truth if abs(place - top - 0.5) <= reach]
        if near:
            truth.remove(min(near, key=lambda place: abs(place - top)))
            hits += 1
        else:
            false += 1
        score[max(0, int(top - reach)) : int(top + reach) + 2] = -np.inf
    return hits, num, false


if __name__ == "__main__":
    main()
