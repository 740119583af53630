"""When to probe: evenly in the logarithm of tokens, within a share of the training FLOPs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from nucleate.core import UserError
from nucleate.core.settings import Settings

Inside = Literal["geometry", "lens", "routers", "llc", "hessian", "noise_scale"]
"""Probes of `nucleate.probes.inside`, named here so that reading settings loads no torch."""

MIN_READINGS = 8
"""Fewer readings than this say nothing about sharpness, so a plan with fewer is refused."""


HEADS_CONTEXT = 52
"""Shortest row that holds a random string (`probes.mechanism.items.TOKENS`) twice."""

HEADS_SHARE = 0.5
"""Largest share of what probes may cost that looking at heads may take."""


class ProbeSettings(Settings):
    """How densely to probe.

    Attributes:
        per_decade: Readings per tenfold of tokens.
        first_tokens: Where the first reading is taken.
        cost_cap: Largest share of the training FLOPs that probes may take.
        items: Size of the item sets; what it counts depends on the suite.
        only: Names of the probes to ask; all of the suite when empty.
        heads_per_decade: Looks at every attention head (scores, ablation, roles) per tenfold of
            tokens, within the same cap, of which they take half at most; none when 0.
        inside: What else is asked at these looks: representations (``geometry``, ``lens``),
            ``routers`` of mixtures of experts, the landscape (``llc``, ``hessian``,
            ``noise_scale``); the landscape costs many passes, see docs/inside.md.
    """

    per_decade: float = Field(default=12, ge=1, le=200)
    first_tokens: int = Field(default=50_000, ge=1)
    cost_cap: float = Field(default=0.02, gt=0)
    items: int = Field(default=160, ge=8, le=100_000)
    only: tuple[str, ...] = ()
    heads_per_decade: float = Field(default=0, ge=0, le=200)
    inside: tuple[Inside, ...] = ()

    @model_validator(mode="after")
    def _inside_needs_looks(self) -> ProbeSettings:
        if self.inside and not self.heads_per_decade:
            raise ValueError("inside is asked at looks at the heads: set heads_per_decade too")
        return self


@dataclass(frozen=True)
class ProbeSchedule:
    """The token counts at (or just after) which to probe, in order.

    Attributes:
        points: Token counts.
        per_decade: Density that the cap allowed.
        note: What the cap did to the wish; empty when nothing.
    """

    points: tuple[int, ...]
    per_decade: float
    note: str = ""


def log_spaced(first: int, last: int, per_decade: float) -> tuple[int, ...]:
    """Return token counts from `first` to `last`, both included, evenly spaced in log10."""
    if last <= first:
        return (last,)
    steps = max(1, round(math.log10(last / first) * per_decade))
    ratio = last / first
    return tuple(dict.fromkeys(round(first * ratio ** (i / steps)) for i in range(steps + 1)))


def make_schedule(
    settings: ProbeSettings,
    total_tokens: int,
    training_flops: float,
    probe_flops: float,
    *,
    per_decade: float | None = None,
    share: float = 1.0,
    what: str = "probes",
) -> ProbeSchedule:
    """Lay out readings over a run of known length; thin them out until the cap is kept.

    Args:
        settings: What is wished for.
        total_tokens: Length of the run.
        training_flops: FLOPs of the whole training.
        probe_flops: FLOPs of one reading of the suite.
        per_decade: Wished density; that of the settings when left out.
        share: Share of the cap that these readings may take.
        what: What they are called in messages.

    Raises:
        UserError: The cap does not even pay for `MIN_READINGS`.
    """
    density = settings.per_decade if per_decade is None else per_decade
    cap = settings.cost_cap * share
    wished = log_spaced(settings.first_tokens, total_tokens, density)
    affordable = int(cap * training_flops / probe_flops) if probe_flops else 10**9
    if len(wished) <= affordable:
        return ProbeSchedule(wished, density)
    if affordable < MIN_READINGS:
        needed = MIN_READINGS * probe_flops / training_flops / share
        raise UserError(
            f"{what} cannot keep to their share of the training FLOPs",
            where="probes.cost_cap",
            got=settings.cost_cap,
            expected=f"{_at_least(needed):g} or more for {MIN_READINGS} readings",
            fix="raise it, lower probes.items or train longer",
        )
    points, asked = wished, density
    while len(points) > affordable:
        density *= 0.97
        points = log_spaced(settings.first_tokens, total_tokens, density)
    planned = len(points) * probe_flops / training_flops
    note = (
        f"probing {density:.1f} instead of {asked:g} times per decade to keep {what} "
        f"within {cap:.1%} of training FLOPs ({planned:.1%} planned)"
    )
    return ProbeSchedule(points, density, note)


def _at_least(value: float) -> float:
    """Return the smallest number of two digits that is not below a value, but for rounding."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit * (1 - 1e-9)) * unit:.2g}")


def lay_out(
    settings: ProbeSettings,
    total_tokens: int,
    training_flops: float,
    probe_flops: float,
    looks_flops: float = 0.0,
) -> tuple[ProbeSchedule, ProbeSchedule | None, float]:
    """Lay out readings, and looks at heads where there are any, within one cap.

    Looks come first, as dense as half of the cap allows; what they leave is for readings.

    Args:
        settings: What is wished for.
        total_tokens: Length of the run.
        training_flops: FLOPs of the whole training.
        probe_flops: FLOPs of one reading of the suite.
        looks_flops: FLOPs of one look at every head; 0 where nobody looks.

    Returns:
        Both schedules, and the share of the cap that looks take.

    Raises:
        UserError: See `make_schedule`.
    """
    looks, share = None, 0.0
    if looks_flops:
        looks = make_schedule(
            settings,
            total_tokens,
            training_flops,
            looks_flops,
            per_decade=settings.heads_per_decade,
            share=HEADS_SHARE,
            what="looks at heads",
        )
        share = len(looks.points) * looks_flops / (settings.cost_cap * training_flops)
    readings = make_schedule(settings, total_tokens, training_flops, probe_flops, share=1 - share)
    return readings, looks, share


class Due:
    """Walks along the points of a schedule; its place can be saved and restored."""

    def __init__(self, points: Sequence[int], done: int = 0) -> None:
        self.points, self.done = points, done

    def pop(self, tokens: int) -> bool:
        """Return whether a point has been reached since the last call, and pass it."""
        reached = self.done < len(self.points) and tokens >= self.points[self.done]
        while self.done < len(self.points) and tokens >= self.points[self.done]:
            self.done += 1
        return reached
