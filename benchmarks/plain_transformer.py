"""One layer without normalisation that reads ``a b =``: only its last position is ever asked.

As in Nanda et al. 2023 (arXiv:2301.05217): learned positions, one attention layer and a ReLU MLP
four times as wide, weights drawn from a normal distribution over the root of the width (the
unembedding: of the vocabulary), no biases but the MLP's. All last positions hold the same token, so
the query is one vector, and keys and values depend on one token and its position only: they are
computed once for each of the ``2 P + 1`` and then looked up. That is exact: the same logits as from
a transformer that computes every position of every row (`tests/unit/test_grokking.py`).
"""

from __future__ import annotations

import math

import torch
from torch import nn

# Suffixes: N pairs, P residues, V tokens (P residues and "="), D width, H heads, K width of a head.


class PlainTransformer(nn.Module):
    """Logits of the token after ``a b =`` for pairs of residues.

    `width` must be a multiple of `heads`; `seed` draws the weights and touches no global generator.
    """

    def __init__(self, p: int, width: int, heads: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int, over: int = width) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) / math.sqrt(over))

        self.p, self.heads = p, heads
        self.embedding_VD = drawn(p + 1, width)
        self.position_3D = drawn(3, width)
        self.query_DD, self.key_DD, self.value_DD = (drawn(width, width) for _ in range(3))
        self.out_DD = drawn(width, width)
        self.mlp_in_DM = drawn(width, 4 * width)
        self.mlp_in_M = nn.Parameter(torch.zeros(4 * width))
        self.mlp_out_MD = drawn(4 * width, width)
        self.mlp_out_D = nn.Parameter(torch.zeros(width))
        self.unembedding_DV = drawn(width, p + 1, over=p + 1)

    def forward(self, pairs_N2: torch.Tensor) -> torch.Tensor:
        """Return the logits of all tokens after ``a b =``, shape ``(N, V)``."""
        residues_PD, first_D, second_D = self.embedding_VD[:-1], *self.position_3D[:2]
        last_D = self.embedding_VD[-1] + self.position_3D[2]
        inputs_RD = torch.cat([residues_PD + first_D, residues_PD + second_D, last_D[None]])
        keys_RHK = (inputs_RD @ self.key_DD).unflatten(1, (self.heads, -1))
        query_HK = (last_D @ self.query_DD).unflatten(0, (self.heads, -1))
        scores_RH = (keys_RHK * query_HK).sum(-1) / math.sqrt(query_HK.shape[1])
        values_RD = inputs_RD @ self.value_DD
        first_N, second_N = pairs_N2[:, 0], self.p + pairs_N2[:, 1]
        look = nn.functional.embedding
        scores_3NH = torch.stack(
            [
                look(first_N, scores_RH),
                look(second_N, scores_RH),
                scores_RH[-1].expand(len(pairs_N2), -1),
            ]
        )
        pattern_3NH1 = scores_3NH.softmax(0)[..., None]
        mixed_NHK = (
            pattern_3NH1[0] * look(first_N, values_RD).unflatten(1, (self.heads, -1))
            + pattern_3NH1[1] * look(second_N, values_RD).unflatten(1, (self.heads, -1))
            + pattern_3NH1[2] * values_RD[-1].unflatten(0, (self.heads, -1))
        )
        middle_ND = torch.addmm(last_D, mixed_NHK.flatten(1), self.out_DD)
        hidden_NM = torch.addmm(self.mlp_in_M, middle_ND, self.mlp_in_DM).relu()
        final_ND = middle_ND + torch.addmm(self.mlp_out_D, hidden_NM, self.mlp_out_MD)
        return final_ND @ self.unembedding_DV
