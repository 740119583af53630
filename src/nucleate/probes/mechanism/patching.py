"""Activation patching: which place of a network carries what tells a coherent story from another.

The corrupted story runs with one activation of the coherent one put into it: a head's output, or
the residual stream before a layer at one position. What comes back of the lost log-probability is
``(patched - corrupted) / (clean - corrupted)``, means over pairs first: 0 where the place carries
nothing of the difference, 1 where it carries all (Vig et al. 2020; Meng et al. 2022,
arXiv:2202.05262; Wang et al. 2022, arXiv:2211.00593).

Shape legend: B pairs, T tokens, L layers, H heads, D width of the residual stream, Q items.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.items import ContextPair
from nucleate.models.heads import head_shape
from nucleate.models.output import logits_of
from nucleate.models.resume import KeptPass
from nucleate.probes.mechanism.behaviours import Behaviour, make_behaviour
from nucleate.probes.mechanism.head_scores import Floats, HeadScores, clustered_se
from nucleate.probes.mechanism.items import sweep_passes
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


@dataclass(frozen=True, eq=False)
class PatchItems:
    """Pairs of rows of equal length that differ in what comes before one asked token.

    Attributes:
        clean_BT: Coherent rows, padded on the right.
        corrupted_BT: The same rows, corrupted.
        asked: What is asked of both, once in every row.
        sweep: Passes over the rows that changing every head once costs (`items.sweep_passes`).
    """

    clean_BT: torch.Tensor
    corrupted_BT: torch.Tensor
    asked: Behaviour
    sweep: int


def patch_items(
    pairs: Sequence[ContextPair], tokenizer: Any, *, layers: int = 3, heads: int = 4
) -> PatchItems:
    """Make pairs of rows that ask for the first token of the region both contexts share.

    Args:
        pairs: Contexts that have equally many tokens; others cannot be patched place by place and
            are left out.
        tokenizer: Any tokenizer whose tokens end at white space.
        layers: Layers of the model that will be asked; only the cost follows from it.
        heads: Heads of each of its layers; likewise.

    Raises:
        DataError: No pair is left.
    """
    begin = tokenizer.bos_token_id
    rows: list[tuple[list[list[int]], int]] = []
    for pair in pairs:
        both = [
            [begin, *tokenizer(text, add_special_tokens=False)["input_ids"]]
            for text in (pair.coherent, pair.corrupted)
        ]
        answer = tokenizer(pair.region, add_special_tokens=False)["input_ids"][0]
        if len(both[0]) == len(both[1]):
            rows.append((both, answer))
    if not rows:
        raise DataError("no pair has contexts of equal length", where="patch_items", got=len(pairs))
    width = max(len(both[0]) for both, _ in rows)
    clean_BT, corrupted_BT = (
        torch.tensor([both[side] + [begin] * (width - len(both[side])) for both, _ in rows])
        for side in (0, 1)
    )
    asked = make_behaviour(
        "coherence", ((b, len(both[0]) - 1, answer, ()) for b, (both, answer) in enumerate(rows))
    )
    return PatchItems(clean_BT, corrupted_BT, asked, sweep_passes(layers, heads))


def patch_heads(model: Any, items: PatchItems) -> HeadScores:
    """Return what comes back with the output of one head patched, at all positions.

    Where clean and corrupted rows score alike, nothing can come back: the scores are NaN.
    """
    layers, heads, _ = head_shape(model)
    sweep = _Sweep(model, items)
    patched_LHQ = np.zeros((layers, heads, len(items.asked.row_Q)))
    for layer in range(layers):
        for head in range(heads):
            patched_LHQ[layer, head] = sweep.with_head(layer, head)
    return sweep.recovered("heads", patched_LHQ)


def patch_residual(
    model: Any, items: PatchItems, spans_SBT: torch.Tensor | None = None
) -> HeadScores:
    """Return what comes back with the residual stream patched in one span before one layer.

    Scores have one column for each span, ``(L + 1, S)``; the last row is behind all layers.

    Args:
        model: A model of a known type.
        items: The pairs.
        spans_SBT: Which positions of which rows each span holds, such as `changed_and_later`;
            left out, each position is one, counted from the beginning of the rows.
    """
    layers, width = head_shape(model)[0], items.clean_BT.shape[1]
    sweep = _Sweep(model, items)
    if spans_SBT is None:
        rows = len(items.clean_BT)
        spans_SBT = torch.eye(width, dtype=torch.bool)[:, None].expand(width, rows, width)
    # A causal model is the same before the first change: there is nothing to patch.
    later_BT = (items.clean_BT != items.corrupted_BT).int().cummax(1).values.bool()
    patched_LSQ = np.tile(sweep.before_Q, (layers + 1, len(spans_SBT), 1))
    for span, span_BT in enumerate(spans_SBT & later_BT):
        for layer in range(layers + 1) if span_BT.any() else ():
            patched_LSQ[layer, span] = sweep.with_residual(layer, span_BT)
    return sweep.recovered("residual", patched_LSQ)


def changed_and_later(items: PatchItems) -> torch.Tensor:
    """Return three spans: tokens that differ, those between them and the asked place, and that.

    Shape ``(3, B, T)``.
    """
    changed_BT = items.clean_BT != items.corrupted_BT
    place_B1 = items.asked.place_Q[:, None]
    position_T = torch.arange(changed_BT.shape[1])
    between_BT = ~changed_BT & (position_T < place_B1)
    return torch.stack([changed_BT & (position_T < place_B1), between_BT, position_T == place_B1])


class _Sweep:
    """Both passes, kept, and what is asked of them."""

    def __init__(self, model: Any, items: PatchItems) -> None:
        self.clean = KeptPass(model, items.clean_BT)
        self.corrupted = KeptPass(model, items.corrupted_BT)
        device = self.clean.hidden_BTD.device
        self.row_B = torch.arange(len(items.clean_BT), device=device)
        self._model, self._asked = model, items.asked.to(device)
        self.clean_Q = self._scores(self.clean.hidden_BTD)
        self.before_Q = self._scores(self.corrupted.hidden_BTD)

    def with_head(self, layer: int, head: int) -> Floats:
        """Return the score of every item, in nats, with the output of one head patched."""
        z_BTHK = self.corrupted.z[layer].clone()
        z_BTHK[:, :, head] = self.clean.z[layer][:, :, head]
        return self._scores(self.corrupted.go_on(layer, self.row_B, z_NTHK=z_BTHK))

    def with_residual(self, layer: int, span_BT: torch.Tensor) -> Floats:
        """Return the score of every item, in nats, with what enters a layer patched in a span."""
        residual_BTD = torch.where(
            span_BT[..., None].to(self.row_B.device),
            self.clean.residuals[layer],
            self.corrupted.residuals[layer],
        )
        return self._scores(self.corrupted.go_on(layer, self.row_B, residual_NTD=residual_BTD))

    @torch.no_grad()
    def _scores(self, hidden_BTD: torch.Tensor) -> Floats:
        hidden_QD = hidden_BTD[self._asked.row_Q, self._asked.place_Q]
        result: Floats = (
            self._asked.scores(logits_of(self._model, hidden_QD)).double().cpu().numpy()
        )
        return result

    def recovered(self, name: str, patched_XXQ: Floats) -> HeadScores:
        """Return shares of the lost score, with the standard error of a ratio of means."""
        lost_Q = self.clean_Q - self.before_Q
        back_XXQ = patched_XXQ - self.before_Q
        rows_Q = self._asked.row_Q.cpu().numpy()
        lost_se = float(clustered_se((lost_Q - lost_Q.mean())[None], rows_Q)[0])
        if not abs(lost_Q.mean()) > 3 * lost_se:  # also where it is NaN
            nothing = np.full(patched_XXQ.shape[:2], np.nan)
            return HeadScores(name, nothing, nothing, 0.0, len(rows_Q), "share")
        share_XX = back_XXQ.mean(-1) / lost_Q.mean()
        residuals_XXQ = (back_XXQ - share_XX[..., None] * lost_Q) / lost_Q.mean()
        return HeadScores(
            name, share_XX, clustered_se(residuals_XXQ, rows_Q), 0.0, len(rows_Q), "share"
        )


def _cost(items: PatchItems) -> int:
    return (2 + items.sweep) * items.clean_BT.numel()


@probe(name="patching", level=Level.MECHANISM, unit="share", cost=_cost)
def patching(view: ModelView, items: PatchItems) -> Iterable[Reading]:
    """How much of a corrupted story's lost coherence does one head of the coherent one restore?"""
    yield from patch_heads(view.model, items).readings("patching")
