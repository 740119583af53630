"""Recipes that commands use when nobody writes one."""

from __future__ import annotations

from nucleate.models import ModelSettings
from nucleate.observe.schedule import ProbeSettings
from nucleate.train.recipe import Recipe, ScheduleSettings, TextCorpus

DEMO_TOKENS = 4_500_000
DEMO_HEADS = 6
"""Looks at every head per tenfold of tokens: 13 in all, 5 % of the FLOPs within the cap."""
TEXT_TOKENS = 2_000_000
SHORT, UNCAPPED = 1_000_000, 100.0
"""Below so many tokens a run is a try-out, and looking may cost more than training."""


def demo_recipe(*, seed: int = 0, tokens: int | None = None) -> Recipe:
    """Return the five-minute recipe: 0.17M parameters, the story world, 4.5M tokens.

    Probes take more than the usual 2 % of the FLOPs here, because the model is tiny and the point
    of the demo is to look closely; the ledger shows how much.
    """
    length = tokens or DEMO_TOKENS
    return Recipe(
        name="demo",
        tokens=length,
        rows=8,
        seed=seed,
        probes=ProbeSettings(
            per_decade=22,
            first_tokens=min(40_000, length // 4 + 1),
            cost_cap=0.2 if length >= SHORT else UNCAPPED,
            items=128,
            heads_per_decade=DEMO_HEADS if length >= SHORT else 0,
        ),
    )


def text_recipe(
    paths: list[str], *, field: str = "text", seed: int = 0, tokens: int | None = None
) -> Recipe:
    """Return the recipe for texts of one's own: 1.8M parameters, a BPE of 4,096 tokens."""
    length = tokens or TEXT_TOKENS
    return Recipe(
        name="text",
        corpus=TextCorpus(kind="text", paths=tuple(paths), field=field),
        model=ModelSettings(size="small", context=256),
        tokens=length,
        seed=seed,
        context=256,
        schedule=ScheduleSettings(warmup_tokens=min(200_000, length // 10)),
        probes=ProbeSettings(
            first_tokens=min(50_000, length // 4 + 1),
            cost_cap=0.1 if length >= SHORT else UNCAPPED,
            items=96,
        ),
    )
