"""Made-up records of studies whose answer is known: quality follows a law of compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nucleate.core.settings import validate
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.analysis import analyse
from nucleate.studies.savings.records import Record
from nucleate.studies.savings.rounds import Round, Slot, slots
from nucleate.studies.savings.settings import Study

HORIZONS = (500_000, 750_000, 1_000_000, 1_500_000, 2_000_000)
REFERENCE = 1_500_000
PER_TOKEN = 1.5e6
LEVELS = ("syntax", "semantics", "narrative", "knowledge")
RATIOS = {"B0": 1.3, "B2": 0.72, "B3": 0.75, "sham": 0.85, "no warm-up": 0.97, "no depth": 0.7}


def study(seeds: int = 10, workloads: tuple[str, ...] = ("W1",), **changes: Any) -> Study:
    """Return the settings of a study with every kind of arm."""
    like = {"like": "T"}
    arms: dict[str, Any] = {
        "B1": {"about": "Muon and AdamW, tuned"},
        "B0": {"about": "AdamW alone, tuned"},
        "T": {"about": "warm-up until copying has come", "like": "B1"},
        "B2": {"about": "the levers at the best fixed time", "timing": "fixed", **like},
        "B3": {"about": "the levers when another seed pulled them", "timing": "yoked", **like},
        "sham": {"about": "the levers at random times", "timing": "sham", **like},
        "no warm-up": {"about": "only depth grows", "ablation": True, **like},
        "no depth": {"about": "only the warm-up", "ablation": True, **like},
    }
    one = {"recipe": {"tokens": REFERENCE}, "horizons": list(HORIZONS), "arms": arms}
    content = {
        "name": "made-up",
        "seeds": list(range(seeds)),
        "workloads": dict.fromkeys(workloads, one),
        "tuning": {"runs": 8, "seeds": [91, 92], "check": [101, 102]},
    }
    return validate(Study, content | changes, where="study")


def law(flops: float) -> float:
    """Quality that so much compute buys."""
    return 1 - 0.35 * (flops / (REFERENCE * PER_TOKEN)) ** -0.7


def records(
    one: Study, round_: Round, ratio: float = 0.65, noise: float = 0.004, seed: int = 0
) -> list[tuple[Slot, Record]]:
    """Return records in which the treated arm needs `ratio` of the baseline's compute."""
    rng = np.random.default_rng(seed)
    luck = {each: noise * rng.standard_normal() for each in round_.seeds}
    name = next(iter(one.workloads))
    ratios = {one.treated: ratio, one.baseline: 1.0, **RATIOS}
    found = []
    for slot in slots(one, name, round_):
        tokens = slot.tokens or REFERENCE
        share = ratios[slot.arm] * math.exp(0.01 * rng.standard_normal() * (slot.tokens is None))
        flops = tokens * PER_TOKEN * (share if slot.tokens is None else 1.0)
        quality = law(tokens * PER_TOKEN) + luck[slot.seed] + 0.3 * noise * rng.standard_normal()
        found.append((slot, record(slot, tokens, flops, quality, rng, noise)))
    return found


def record(slot: Slot, tokens: int, flops: float, quality: float, rng: Any, noise: float) -> Record:
    """Return one record whose levels lie around a quality."""
    scores = {level: quality + noise * rng.standard_normal() for level in LEVELS}
    scores["composite"] = quality
    scores["loss"] = 3.2 - 1.4 * quality + 0.3 * noise * rng.standard_normal()
    shares = {
        "attention (forward)": 0.07,
        "mlp (forward)": 0.14,
        "head (forward)": 0.06,
        "backward": 0.56,
        "optimiser": 0.16,
    }
    treated = slot.arm == "T"
    parts = {part: share * flops * (0.99 if treated else 1.0) for part, share in shares.items()}
    if treated:
        parts["probes"] = flops - sum(parts.values())
    return Record(
        arm=slot.arm,
        seed=slot.seed,
        key=f"{slot.arm}-{tokens}-seed{slot.seed}-0123abcd",
        tokens=tokens,
        flops=flops,
        parts=parts,
        seconds={"training": flops / 3e10, "checkpoints": 0.4},
        six_nd=6.0 * 170_000 * tokens,
        scores=scores,
        architecture={"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 3},
    )


def result(
    one: Study, found: dict[str, list[tuple[Slot, Record]]] | None = None, **parts: Any
) -> dict[str, Any]:
    """Return what `study.json` would hold of made-up records."""
    round_ = Round("runs", one.seeds, Split.SEALED, one.looks)
    frozen = {"at": "2026-01-02T03:04:05+00:00", "hash": "ab" * 32, "code": "cd" * 32}
    packages = {"torch": "2.13.0", "numpy": "2.4.0"}
    workloads = {
        name: {
            "records": (found or {}).get(name) or records(one, round_),
            "reference": REFERENCE,
            "tuning": {},
            "check": {},
            "audit": {},
            **parts,
        }
        for name in one.workloads
    }
    return analyse(
        one, round_, {**frozen, "packages": packages}, workloads, ["nucleate", "study", "a.yaml"]
    )
