"""Sample continuations: seeded, one stream of random numbers for each, settings written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nucleate.core import DataError


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are drawn; part of what a number about generated text means.

    Attributes:
        length: Tokens of each continuation.
        temperature: Logits are divided by it; 0 takes the likeliest token.
        top_p: Draw from the smallest set of tokens that together have this probability.
        seed: Of all draws.
    """

    length: int = 64
    temperature: float = 1.0
    top_p: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.length < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise DataError(
                "decoding settings are out of range",
                got=self,
                expected="length ≥ 1, temperature ≥ 0, 0 < top_p ≤ 1",
            )

    def __str__(self) -> str:
        return (
            f"{self.length} tokens, temperature {self.temperature:g}, top-p {self.top_p:g}, "
            f"seed {self.seed}"
        )


@torch.no_grad()
def sample(model: Any, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[list[int]]:
    """Return the tokens drawn after each prompt, `decoding.length` of each.

    Every prompt has a generator of its own, so what is drawn after one does not depend on the
    others. Global random states are not touched.

    Args:
        model: A causal `transformers` model in evaluation mode.
        prompts: Token ids, none empty; prompt and continuation must fit the model's window.
        decoding: How to draw.
    """
    by_length: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(place)
    out: list[list[int]] = [[] for _ in prompts]
    for places in by_length.values():
        rows = [list(prompts[place]) for place in places]
        for place, drawn in zip(places, _rows(model, rows, places, decoding), strict=True):
            out[place] = drawn
    return out


def _rows(
    model: Any, rows: list[list[int]], places: Sequence[int], decoding: Decoding
) -> list[list[int]]:
    """Draw after prompts of one length, together."""
    device = next(model.parameters()).device
    uniform_BT = torch.stack([_uniform(decoding, place) for place in places])
    fed_BT, cache, drawn = torch.tensor(rows, device=device), None, list[torch.Tensor]()
    for step in range(decoding.length):
        found = model(input_ids=fed_BT, past_key_values=cache, use_cache=True)
        cache = found.past_key_values
        token_B = _draw(found.logits[:, -1].double().cpu(), uniform_BT[:, step], decoding)
        drawn.append(token_B)
        fed_BT = token_B[:, None].to(device)
    tokens: list[list[int]] = torch.stack(drawn, 1).tolist()
    return tokens


def _uniform(decoding: Decoding, place: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(decoding.seed * 1_000_003 + place)
    return torch.rand(decoding.length, generator=generator, dtype=torch.float64)


def _draw(logits_BV: torch.Tensor, uniform_B: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Draw one token for each row by inverting the cumulative distribution."""
    if decoding.temperature == 0:
        return logits_BV.argmax(-1)
    p_BV, token_BV = torch.softmax(logits_BV / decoding.temperature, -1).sort(-1, descending=True)
    before_BV = p_BV.cumsum(-1) - p_BV
    p_BV = torch.where(before_BV < decoding.top_p, p_BV, 0.0)
    total_BV = p_BV.cumsum(-1)
    at_B1 = torch.searchsorted(total_BV, uniform_B[:, None] * total_BV[:, -1:], right=True)
    return token_BV.gather(1, at_B1.clamp(max=p_BV.shape[1] - 1))[:, 0]
