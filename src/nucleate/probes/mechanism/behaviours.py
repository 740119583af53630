"""What heads are asked to bring about: words that a text decides, and how much likelier they are.

Shape legend: Q items, F foils, V vocabulary, D width of the residual stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nucleate.models.heads import folded_head


@dataclass(frozen=True, eq=False, slots=True)
class Behaviour:
    """Tokens that some positions should make likely.

    Attributes:
        name: ``copying``, ``agreement`` …
        row_Q: Row of each item.
        place_Q: Position whose next token is asked for.
        answer_Q: The right one.
        foil_QF: Wrong ones, filled up with -1; with no foils at all (F = 0) an item's score is
            the log-probability of its answer.
    """

    name: str
    row_Q: torch.Tensor
    place_Q: torch.Tensor
    answer_Q: torch.Tensor
    foil_QF: torch.Tensor

    def scores(self, logits_QV: torch.Tensor) -> torch.Tensor:
        """Return log p(answer) - logsumexp(log p(foils)) of every item, in nats, shape ``(Q,)``."""
        log_QV = torch.log_softmax(logits_QV.float(), -1)
        answer_Q = log_QV.gather(1, self.answer_Q[:, None])[:, 0]
        if not self.foil_QF.shape[1]:
            return answer_Q
        foil_QF = log_QV.gather(1, self.foil_QF.clamp_min(0))
        return answer_Q - foil_QF.masked_fill(self.foil_QF < 0, -torch.inf).logsumexp(1)

    def directions(self, unembedding_DV: torch.Tensor) -> torch.Tensor:
        """Return the direction that raises each answer over the mean of its foils, ``(Q, D)``.

        Without foils, over the mean of the vocabulary.
        """
        answer_QD = unembedding_DV.T[self.answer_Q]
        if not self.foil_QF.shape[1]:
            return answer_QD - unembedding_DV.mean(1)
        there_QF = (self.foil_QF >= 0).to(unembedding_DV)
        foil_QFD = unembedding_DV.T[self.foil_QF.clamp_min(0)]
        foil_QD = (there_QF[:, None] @ foil_QFD)[:, 0] / there_QF.sum(1, keepdim=True)
        return answer_QD - foil_QD

    def to(self, device: Any) -> Behaviour:
        """Return the same on another device."""
        return Behaviour(
            self.name,
            *(x.to(device) for x in (self.row_Q, self.place_Q, self.answer_Q, self.foil_QF)),
        )

    def of_rows(self, first: int, last: int) -> tuple[Behaviour, torch.Tensor]:
        """Return the items of rows ``first:last``, rows counted from there, and their places."""
        own_Q = (self.row_Q >= first) & (self.row_Q < last)
        rest = (x[own_Q] for x in (self.place_Q, self.answer_Q, self.foil_QF))
        part = Behaviour(self.name, self.row_Q[own_Q] - first, *rest)
        return part, own_Q.nonzero()[:, 0]


class Directions:
    """`Behaviour.directions` of several behaviours side by side, laid out once.

    Each is a sum of few rows of the output head, taken before the final norm is folded in, which
    is linear: a model's whole vocabulary is touched only where an answer has no foils.

    Args:
        behaviours: Whose directions.
    """

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        token, share, self._count = [], [], []
        for x in behaviours:
            there_QF = (x.foil_QF >= 0).float()
            foil_QF = there_QF / -there_QF.sum(1, keepdim=True)
            share.append(torch.cat([torch.ones(len(there_QF), 1), foil_QF], 1).flatten())
            token.append(torch.cat([x.answer_Q[:, None], x.foil_QF], 1).clamp_min(0).flatten())
            self._count += [1 + x.foil_QF.shape[1]] * len(x.answer_Q)
        self._token, self._share = torch.cat(token), torch.cat(share)
        counts = torch.tensor(self._count, dtype=torch.long)
        self._begin, self._alone = counts.cumsum(0) - counts, counts == 1

    def of(self, model: Any) -> torch.Tensor:
        """Return all directions through the output head of a model, ``(Q, D)``."""
        head_VD = model.get_output_embeddings().weight.detach()
        token, begin, alone = (
            x.to(head_VD.device) for x in (self._token, self._begin, self._alone)
        )
        raw_QD = torch.nn.functional.embedding_bag(
            token, head_VD, begin, mode="sum", per_sample_weights=self._share.to(head_VD)
        )
        if bool(self._alone.any()):
            raw_QD[alone] -= head_VD.mean(0)
        return folded_head(model, raw_QD.T).T


def make_behaviour(name: str, items: Iterable[tuple[int, int, int, Sequence[int]]]) -> Behaviour:
    """Make a behaviour from ``(row, place, answer, foils)``."""
    kept = list(items)
    most = max((len(foils) for _, _, _, foils in kept), default=0)
    foil_QF = torch.full((len(kept), most), -1, dtype=torch.long)
    for q, (_, _, _, foils) in enumerate(kept):
        foil_QF[q, : len(foils)] = torch.tensor(list(foils), dtype=torch.long)
    row_Q, place_Q, answer_Q = torch.tensor(
        [item[:3] for item in kept], dtype=torch.long
    ).reshape(-1, 3).T  # fmt: skip
    return Behaviour(name, row_Q, place_Q, answer_Q, foil_QF)
