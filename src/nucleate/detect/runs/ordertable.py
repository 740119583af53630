"""Do levels come one after the other? A chain of orderings, link by link and as a whole.

Sources: Holm 1979; Benjamini and Yekutieli 2001; Berger 1982 (intersection-union test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from numpy.typing import ArrayLike

from nucleate.detect.multiplicity import benjamini_yekutieli
from nucleate.detect.runs.ordering import ALPHA, Ordering, judged, ordering
from nucleate.detect.runs.timing import Timing


@dataclass(frozen=True, slots=True)
class OrderingTable:
    """A chain of levels tested link by link.

    Attributes:
        pairs: One Ordering for each pair of neighbours; verdicts use the adjusted q.
        p_chain: p of the claim that *all* links hold: the largest p_before (intersection-union
            test, Berger 1982, which needs no adjustment).
        verdict: ``strict order``, ``contradicted`` (some link runs the other way), ``not shown`` or
            ``not enough seeds``.
        note: One sentence.
    """

    pairs: tuple[Ordering, ...]
    p_chain: float
    verdict: str
    note: str


def ordering_table(
    levels: Mapping[str, Sequence[Timing]],
    *,
    grids: Mapping[str, ArrayLike] | None = None,
    adjust: Literal["holm", "by"] = "holm",
    alpha: float = ALPHA,
    seed: int = 0,
) -> OrderingTable:
    """Test whether levels come one after the other, as given.

    Args:
        levels: Timings per seed, by level, in the order that is claimed; two levels or more.
        grids: Positions of readings, by level.
        adjust: Adjustment of the links' p-values: Holm, or Benjamini-Yekutieli.
        alpha, seed: As in `ordering`.

    Raises:
        ValueError: With fewer than two levels, or unequal numbers of seeds.
    """
    if len(levels) < 2:
        raise ValueError(f"a chain needs at least two levels, got {len(levels)}")
    raw = [
        ordering(
            levels[a], levels[b], names=(a, b), alpha=alpha, seed=seed,
            grids=None if grids is None else (grids[a], grids[b]),
        )
        for a, b in pairwise(levels)
    ]  # fmt: skip
    method = holm if adjust == "holm" else benjamini_yekutieli
    ones, twos = method([o.p_before for o in raw]), method([o.p_two_sided for o in raw])
    pairs = tuple(judged(o, one, two, alpha) for o, one, two in zip(raw, ones, twos, strict=True))
    p_chain = max(pair.p_before for pair in pairs)
    verdicts = {pair.verdict for pair in pairs}
    if "not enough seeds" in verdicts:
        verdict = "not enough seeds"
    elif "after" in verdicts:
        verdict = "contradicted"
    else:
        verdict = "strict order" if p_chain <= alpha else "not shown"
    note = f"{' → '.join(levels)}: {verdict} (p = {p_chain:.2g} for all links together)"
    return OrderingTable(pairs, p_chain, verdict, note)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down method, in the order given.

    Source: Holm 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted
