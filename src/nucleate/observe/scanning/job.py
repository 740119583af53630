"""A scan made ready: series, tokenizer, suite, device; everything that no checkpoint changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from nucleate.core import CheckpointError, UserError
from nucleate.corpora.itemsets import ItemSet
from nucleate.models import num_experts
from nucleate.models.series import Series, Weights, find_series, load_tokenizer, open_weights
from nucleate.models.series.hub import fetch
from nucleate.models.series.loader import build_empty
from nucleate.models.series.sketch import config_key
from nucleate.models.series.weights import read_config
from nucleate.observe.scanning.settings import ScanSettings
from nucleate.observe.scanning.suites import CONTEXT, build_suite
from nucleate.observe.watch import forward_flops
from nucleate.probes.geometry.moe import ROUTED
from nucleate.probes.inside import lens_cost
from nucleate.probes.suites import Suite

NO_LIMIT = 10**6


@dataclass(frozen=True)
class Job:
    """What is asked of every checkpoint, and how.

    Attributes:
        suite: Tokenised once for the whole series.
        device: Where to compute.
        bf16: In bfloat16 instead of float32.
        threads: Threads of one worker; 0 for what torch takes.
        flops: Forward FLOPs of asking one checkpoint, modelled.
    """

    suite: Suite
    device: str = "cpu"
    bf16: bool = False
    threads: int = 0
    flops: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights in memory."""
        return torch.bfloat16 if self.bf16 else torch.float32


def prepare(
    settings: ScanSettings, series: Series, device: str, sets: Sequence[ItemSet] = ()
) -> tuple[Job, Any]:
    """Load the tokenizer and build the suite; return the job and the tokenizer.

    Raises:
        UserError: Tokenizer, data or settings cannot be used, or no checkpoint can be opened.
    """
    series, (config, where) = _at_hand(series)
    shape = build_empty(config, where)
    longest = int(getattr(shape.config, "max_position_embeddings", None) or NO_LIMIT)
    tokenizer = load_tokenizer(series, settings.tokenizer or None)
    if len(tokenizer) > shape.config.vocab_size:
        raise CheckpointError(
            "tokenizer has more tokens than the model",
            where=series.source,
            got=len(tokenizer),
            expected=f"{shape.config.vocab_size} or fewer",
            fix="name the right one with --tokenizer",
        )
    heads = int(getattr(shape.config, "num_attention_heads", 1))
    layers = int(getattr(shape.config, "num_hidden_layers", 1))
    experts = num_experts(shape.config) if shape.config.model_type in ROUTED else 0
    context = min(settings.context or CONTEXT, longest)
    each = lens_cost(shape.config, context)
    suite = build_suite(settings, series, tokenizer, longest, sets, (layers, heads, experts), each)
    flops = suite.forward_tokens * forward_flops(shape, context)
    return Job(suite, device, settings.bf16, 0, flops), tokenizer


def open_series(settings: ScanSettings) -> Series:
    """Find the series that the settings name."""
    return find_series(
        settings.source,
        revisions=settings.revisions,
        tokens_per_step=settings.tokens_per_step,
    )


def pick_device(wish: str) -> str:
    """Turn ``auto`` into CUDA, MPS or CPU, whichever comes first and is there.

    Raises:
        UserError: A device is asked for that this machine does not have.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wish == "auto":
        return next(name for name, found in there.items() if found)
    if not there.get(wish.split(":")[0], False):
        raise UserError("no such device here", where="--device", got=wish, fix="use auto or cpu")
    return wish


def _at_hand(series: Series) -> tuple[Series, tuple[Mapping[str, Any], Any]]:
    """Return the series with a home for its tokenizer, and the config that it shares."""
    if not series.members[-1].remote:
        return series, _config(series)
    last = fetch(series.members[-1], weights=False)
    return replace(series, homes=(last.path,)), (read_config(last.path), last.path)


def _config(series: Series) -> tuple[Mapping[str, Any], Any]:
    """Return the config that most of the checkpoints share, of those that can be opened."""
    problems: list[CheckpointError] = []
    opened: list[Weights] = []
    for member in series.members:
        try:
            opened.append(open_weights(member))
        except CheckpointError as error:
            problems.append(error)
    if opened:
        (usual, _), *_ = Counter(config_key(each.config) for each in opened).most_common(1)
        first = next(each for each in opened if config_key(each.config) == usual)
        return first.config, first.where
    if len(problems) == 1:
        raise problems[0]
    raise CheckpointError(
        "no checkpoint can be opened",
        where=series.source,
        got=str(problems[0]) if problems else "none",
    )
