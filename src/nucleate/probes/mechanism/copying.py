"""What heads write by their weights alone: copies of what they see, or what comes after it.

Shape legend: L layers, H heads, D width of the residual stream, K width of a head, V vocabulary,
N tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from nucleate.core import Level, Reading
from nucleate.models.heads import head_shape, head_weights, unembedding
from nucleate.probes.mechanism.head_scores import HeadScores
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


@torch.no_grad()
def copying_scores(model: Any) -> HeadScores:
    """Return how far every head writes what it reads: ``Σ Re λ / Σ |λ|`` over the eigenvalues λ
    of its full OV circuit, from the embedding to the logits (Elhage et al. 2021).

    1 where all eigenvalues are positive and the head makes likelier whatever it attends to, 0 for
    random weights, -1 where it makes it less likely. The norms' scales are folded in, their
    lengths left out. The circuit has rank K: its eigenvalues are those of a K × K matrix.
    """
    embedding_VD = model.get_input_embeddings().weight.double()
    through_DD = unembedding(model).double() @ embedding_VD
    values = []
    for layer in range(head_shape(model)[0]):
        weights = head_weights(model, layer)
        small_HKK = weights.o_HKD.double() @ through_DD @ weights.v_HDK.double()
        eigenvalues_HK = torch.linalg.eigvals(small_HKK.cpu())  # a card takes twice as long
        total_H = eigenvalues_HK.abs().sum(-1).clamp_min(torch.finfo(torch.double).tiny)
        values.append((eigenvalues_HK.real.sum(-1) / total_H).numpy())
    values_LH = np.stack(values)
    unknown = np.full_like(values_LH, np.nan)
    return HeadScores("ov", values_LH, unknown, 0.0, int(small_HKK.shape[-1]), "ratio")


@torch.no_grad()
def successor_scores(model: Any, orders: Sequence[Sequence[int]]) -> HeadScores:
    """Return how often a head that sees a token of an ordered list writes the one after it most.

    Each head's OV circuit maps the embedding of a token straight to logits; among the tokens of
    its list, the successor's logit must be the largest (after Gould et al. 2023, arXiv:2312.09230,
    without their first MLP).

    Args:
        model: A model of a known type.
        orders: Ordered lists of tokens: numbers, days, months; each of two tokens or more.
    """
    pairs = [(order[i], i + 1, order) for order in orders for i in range(len(order) - 1)]
    chance = float(np.mean([1 / len(order) for _, _, order in pairs])) if pairs else float("nan")
    seen_ND = model.get_input_embeddings().weight[torch.tensor([token for token, _, _ in pairs])]
    output_DV = unembedding(model)
    hits = []
    for layer in range(head_shape(model)[0]):
        weights = head_weights(model, layer)
        wrote_HND = seen_ND @ weights.v_HDK @ weights.o_HKD
        logits_HNV = wrote_HND @ output_DV
        hit = [
            logits_HNV[:, n, list(order)].argmax(-1) == place
            for n, (_, place, order) in enumerate(pairs)
        ]
        hits.append(torch.stack(hit, -1).double().cpu().numpy())
    hits_LHN = np.stack(hits)
    values_LH = hits_LHN.mean(-1)
    se_LH = np.sqrt(values_LH * (1 - values_LH) / max(len(pairs) - 1, 1))
    return HeadScores("successor", values_LH, se_LH, chance, len(pairs))


@probe(name="copying", level=Level.MECHANISM, unit="ratio", cost=lambda _: 0)
def copying(view: ModelView, items: object) -> Iterable[Reading]:
    """How far does the head that copies most write what it reads?"""
    yield from copying_scores(view.model).readings("copying")
