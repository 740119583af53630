"""Train the networks of `nucleate.detect.network` on curves that are drawn meanwhile.

python -m benchmarks.detect.training --minutes 8 --workers 15 --out FOLDER
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool1d
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.detect.training.augment import augmented
from benchmarks.detect.training.draws import TRAINING, Mix, chunks
from benchmarks.detect.training.model import Model
from benchmarks.detect.training.stream import Stream, streaming
from benchmarks.detect.training.tell import tell

AVERAGED = 0.999
"""The weights that are kept are an average over the last steps: what stays of it at each."""

EVERY = 8
"""Steps from one term of this average to the next."""

BESIDE = 2
"""Places on either side of a change that count as its place: where exactly, likelihoods say."""

WARM_UP = 0.04
"""Share of the time in which the learning rate rises; from there it falls as a cosine."""

SOON = 20
"""Steps after which losses are looked at first: one that is not finite ends the training."""

FIRST = 20_000
"""Curves that are waited for before the first step."""


class Learner:
    """One network in training.

    Args:
        width: Channels of its layers.
        seed: Of its first weights and of the curves it is shown.
        device: Where it is trained.
        rate: Largest learning rate.
        start: Weights to go on from, random ones without.
    """

    def __init__(
        self, width: int, seed: int, device: torch.device, rate: float, start: Path | None
    ) -> None:
        torch.manual_seed(seed)
        self.name = f"width{width}-seed{seed}"
        self.rate = rate
        self.model = Model(width).to(device)
        if start is not None:
            self.model.load_state_dict(
                {name: torch.from_numpy(w.astype(np.float32)) for name, w in np.load(start).items()}
            )
        on_card = device.type == "cuda"
        self._compiled = torch.compile(self.model) if on_card else self.model
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), rate, weight_decay=0.01, fused=on_card
        )
        self.averaged = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED**EVERY), use_buffers=False
        )
        self.device = device
        self.steps = 0
        self.loss = torch.zeros((), device=device)
        self._generator = torch.Generator(device).manual_seed(seed)

    def step(self, stream: Stream, batch: int, done: float) -> None:
        """Learn from one batch; `done` is the share of the time that is over."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * schedule(done)
        pictures, target = stream.batch(batch, self._generator)
        pictures = augmented(pictures, self._generator)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self._compiled(pictures)
        loss = binary_cross_entropy_with_logits(logits.float(), widened(target))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        if self.steps % EVERY == 0:
            self.averaged.update_parameters(self.model)
        self.loss = 0.99 * self.loss + 0.01 * loss.detach() if self.steps > 1 else loss.detach()

    def save(self, folder: Path) -> Path:
        """Write the averaged weights, in half precision."""
        weights = self.averaged.module.state_dict()
        path = folder / f"{self.name}.npz"
        np.savez_compressed(
            path, **{k: v.detach().cpu().numpy().astype(np.float16) for k, v in weights.items()}
        )
        return path


def schedule(done: float) -> float:
    """Return the learning rate relative to its peak.

    >>> schedule(0.02), schedule(0.04), round(schedule(1.0), 6)
    (0.5, 1.0, 0.0)
    """
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * min((done - WARM_UP) / (1.0 - WARM_UP), 1.0))


def widened(target: torch.Tensor) -> torch.Tensor:
    """Return targets by place, ``(s, l, 2)``: one at a change and beside it."""
    places = max_pool1d(target, 2)
    return max_pool1d(places, 2 * BESIDE + 1, 1, BESIDE).transpose(1, 2)


def main() -> None:
    """Train for a while, print what is found on curves held out, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw curves")
    parser.add_argument("--capacity", type=int, default=4_000_000, help="curves kept at once")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--width", type=int, nargs="+", default=[128])
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--start", type=Path, nargs="+", default=[], help="weights to go on from")
    parser.add_argument("--seed", type=int, default=1, help="of the curves")
    parser.add_argument("--hard", action="store_true", help="more of what is hardest to find")
    parser.add_argument("--held-out", type=int, default=12_000, help="none with 0")
    wish = parser.parse_args()
    wish.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learners = [
        Learner(width, number, device, wish.rate * min(1.0, (56 / width) ** 0.5), start)
        for number, (width, start) in enumerate(zip_longest(wish.width, wish.start))
    ]
    begin = time.perf_counter()
    kinds = {"own": Mix(), "broad": Mix(broad=1.0)} if wish.held_out else {}
    held_out = {
        name: chunks(2001 + number, wish.held_out, wish.workers, smooth=False, mix=mix)
        for number, (name, mix) in enumerate(kinds.items())
    }
    print(f"held out: drawn in {time.perf_counter() - begin:.0f} s", flush=True)
    mix = replace(TRAINING, hard=wish.hard)
    print(f"curves are {mix}, and the benchmark's", flush=True)
    with streaming(wish.seed, wish.workers, wish.capacity, device, mix) as stream:
        while stream.num < min(FIRST, wish.capacity):
            stream.take(timeout=60.0)
        train(learners, stream, begin, 60.0 * wish.minutes, wish)
    for learner in learners:
        learner.save(wish.out)
        for name, draws in held_out.items():
            print(f"{learner.name}, {name} curves")
            tell(learner.averaged.module, draws, device)


def train(
    learners: list[Learner],
    stream: Stream,
    begin: float,
    seconds: float,
    wish: argparse.Namespace,
) -> None:
    """Step all networks in turn until the time is over."""
    started = told = time.perf_counter()
    whole = seconds - (started - begin)
    while (now := time.perf_counter()) - started < whole:
        stream.take()
        for learner in learners:
            learner.step(stream, wish.batch, (now - started) / whole)
        if now - told > 30.0 or learners[0].steps == SOON:
            told = now
            if not all(math.isfinite(each.loss.item()) for each in learners):
                raise SystemExit(f"a loss is not finite after {learners[0].steps} steps")
            losses = ", ".join(f"{each.name} {each.loss.item():.5f}" for each in learners)
            print(
                f"{now - started:.0f} s: {stream.total} curves, {learners[0].steps} steps: "
                f"{losses}",
                flush=True,
            )
            for learner in learners:
                learner.save(wish.out)


if __name__ == "__main__":
    main()
