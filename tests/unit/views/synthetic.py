"""A made-up run that looks like the first trial on the story world; no model, no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nucleate.core import Event, LedgerEntry, Level, Mark, Reading, Step
from nucleate.store import Manifest, RunWriter

TOTAL = 6_000_000
FLOPS_PER_TOKEN = 9.6e5

Shape = Callable[[np.ndarray], np.ndarray]


def rise(at: float, width: float) -> Shape:
    """Return a rise from 0 to 1 in log10(tokens) with a 10–90 % width in decades."""
    return lambda t: 1.0 / (1.0 + np.exp(-4.394 * (np.log10(t) - np.log10(at)) / width))


def add(*parts: tuple[float, Shape]) -> Shape:
    return lambda t: sum(weight * shape(t) for weight, shape in parts)


def flat(t: np.ndarray) -> np.ndarray:
    return np.zeros_like(t)


# stem → level, chance, ceiling, items, shape
ACCURACIES: dict[str, tuple[Level, float, float, int, Shape]] = {
    "agreement.simple": (Level.SYNTAX, 0.5, 0.995, 400, rise(1.9e5, 0.55)),
    "agreement.attractor": (
        Level.SYNTAX,
        0.5,
        0.98,
        400,
        add((0.9, rise(6.1e5, 0.12)), (0.1, rise(1.5e6, 0.8))),
    ),
    "agreement.relative": (Level.SYNTAX, 0.5, 0.95, 400, rise(1.05e6, 0.75)),
    "cause.all": (Level.SEMANTICS, 1 / 14, 0.93, 300, rise(3.5e5, 1.05)),
    "fact.common": (Level.KNOWLEDGE, 1 / 8, 0.99, 240, rise(5.5e5, 0.9)),
    "fact.middle": (Level.KNOWLEDGE, 1 / 8, 0.96, 240, rise(8.2e5, 0.8)),
    "fact.rare": (Level.KNOWLEDGE, 1 / 8, 0.9, 240, rise(1.25e6, 0.2)),
    "state.where": (Level.NARRATIVE, 0.5, 1.0, 400, flat),
    "state.holder": (Level.NARRATIVE, 0.5, 1.0, 400, flat),
    "coherence.order": (Level.NARRATIVE, 0.5, 0.78, 300, rise(7e5, 1.3)),
    "coherence.contradiction": (Level.NARRATIVE, 0.5, 0.62, 300, rise(2.2e6, 0.9)),
    "refrain.all": (Level.LONG_CONTEXT, 1 / 12, 0.97, 240, rise(4.6e5, 0.3)),
}
DIVERGENCES = {
    "ngram.unigram": (2.6, 4e4),
    "ngram.bigram": (2.1, 1.1e5),
    "ngram.trigram": (1.7, 3e5),
}


def write_run(
    path: Path,
    *,
    name: str = "story world, 3 × 64, seed 0",
    seed: int = 0,
    num_readings: int = 45,
    recipe: dict[str, object] | None = None,
    event_text: str = "mechanism.induction failed: attention weights are not returned by sdpa",
    finish: bool = True,
) -> Path:
    """Write a whole run folder; everything follows from `seed`."""
    rng = np.random.default_rng(seed)
    shift = 10 ** rng.normal(0.0, 0.03) if seed else 1.0
    tokens = np.unique((np.geomspace(2e4, TOTAL, num_readings) / 4096).astype(int) * 4096)
    manifest = Manifest(
        name=name,
        recipe=recipe if recipe is not None else RECIPE,
        environment=ENVIRONMENT,
        seeds={"model": seed, "data": seed},
        primary=PRIMARY,
        created="2026-11-23T06:30:00+00:00",
        nucleate="0.1.0",
    )
    with RunWriter.create(path, manifest) as writer:
        for t in range(4096, TOTAL, 4096 * 4):
            noise = rng.normal(0.0, 0.04)
            loss = (
                1.15 + 5.4 * (1 + t / 4e4) ** -0.62 - 0.12 * float(rise(6.1e5, 0.12)(np.array(t)))
            )
            writer.loss(step_at(t), loss + noise, float(abs(rng.normal(0.8, 0.2))))
        for count in tokens:
            for reading in readings_at(float(count), rng, shift):
                writer.reading(step_at(int(count)), reading)
        for event in events(event_text):
            writer.event(event)
        writer.ledger(LEDGER)
        if finish:
            writer.finish("finished", step_at(TOTAL))
    return path


def step_at(tokens: int) -> Step:
    progress = tokens / TOTAL
    lr = 3e-3 * min(1.0, progress / 0.02, max(0.02, (1 - progress) / 0.2))
    return Step(tokens // 4096, tokens, tokens * FLOPS_PER_TOKEN, tokens / 8100.0, lr)


def readings_at(t: float, rng: np.random.Generator, shift: float = 1.0) -> list[Reading]:
    out = []
    at = np.array(t / shift)
    for stem, (level, chance, ceiling, num, shape) in ACCURACIES.items():
        progress = float(shape(at))
        p = chance + (ceiling - chance) * progress
        value = rng.binomial(num, p) / num
        se = float(np.sqrt(max(value * (1 - value), 0.5 / num) / num))
        out.append(Reading(f"{stem}.accuracy", value, se, num, chance, "fraction", level))
        floor = float(np.log(chance / (1 - chance)))
        margin = floor + 4.5 * progress + rng.normal(0.0, 0.07)
        out.append(Reading(f"{stem}.margin", margin, 0.07, num, floor, "nats", level))
    for stem, (start, scale) in DIVERGENCES.items():
        value = start * float((1 + at / scale) ** -0.9) + 0.08 + abs(rng.normal(0.0, 0.008))
        reading = Reading(f"{stem}.kl", value, 0.01, 512, unit="nats", level=Level.COOCCURRENCE)
        out.append(reading)
    return out


def events(failure: str) -> list[Event]:
    out = [Event(step_at(k * 1_000_000), "checkpoint", f"checkpoint at {k}M") for k in range(1, 7)]
    out.append(Event(step_at(410_000), "probe failed", failure))
    out.append(Event(step_at(450_000), "probe disabled", "mechanism.induction: 3 failures"))
    out.append(Event(step_at(2_000_000), "resumed", "resumed from step 488, bit-exact"))
    return sorted(out, key=lambda event: event.step.tokens)


PRIMARY = {
    "cooccurrence": "ngram.bigram",
    "syntax": "agreement.attractor",
    "semantics": "cause.all",
    "narrative": "state.where",
    "knowledge": "fact.rare",
}
LEDGER = [
    LedgerEntry("attention", 0.9e12, 190.0, Mark.MODELLED),
    LedgerEntry("mlp", 2.6e12, 260.0, Mark.MODELLED),
    LedgerEntry("head", 1.9e12, 150.0, Mark.MODELLED),
    LedgerEntry("optimiser", 0.05e12, 61.0, Mark.MODELLED),
    LedgerEntry("probes", 0.1e12, 79.0, Mark.MEASURED),
]
RECIPE: dict[str, object] = {
    "name": "story world, 3 × 64, seed 0",
    "seed": 0,
    "corpus": {
        "kind": "storyworld",
        "language": "english",
        "facts": 200,
        "share": {"stories": 0.7, "facts": 0.3},
    },
    "model": {
        "family": "llama",
        "layers": 3,
        "width": 64,
        "heads": 4,
        "vocabulary": 1024,
        "context": 128,
    },
    "optimiser": {"name": "adamw", "lr": 0.003, "betas": [0.9, 0.95], "weight_decay": 0.1},
    "schedule": {"kind": "wsd", "warmup": 0.02, "decay": 0.2},
    "tokens": TOTAL,
    "batch_tokens": 4096,
    "observer": {"suite": "coherence", "per_decade": 16, "cost_cap": 0.02},
}
ENVIRONMENT = {
    "python": "3.11.9",
    "torch": "2.9.0",
    "transformers": "4.57.1",
    "device": "cpu (2 cores)",
    "platform": "Linux x86_64",
}
