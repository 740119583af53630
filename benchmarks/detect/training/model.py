"""The network in PyTorch, to be trained; `nucleate.detect.network` evaluates it with NumPy."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad, relu

from nucleate.detect.network.network import DILATIONS, FLOOR, GLOBAL, STEEPEST
from nucleate.detect.network.picture import CHANNELS


class Block(nn.Module):
    """Look at two neighbours, mix, add."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.look = nn.Linear(3 * width, width)
        self.mix = nn.Linear(width, width)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h + self.mix(relu(self.look(neighbours(self.norm(h), self.dilation))))


class Model(nn.Module):
    """See `nucleate.detect.network.network.Network`."""

    def __init__(self, width: int = 56) -> None:
        super().__init__()
        self.stem = nn.Linear(3 * 2 * (len(CHANNELS) + 2), width)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in DILATIONS)
        self.wide = nn.ModuleList(nn.Linear(2 * width, width) for _ in GLOBAL)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        h = self.stem(neighbours(features(pictures), 1))
        for number, block in enumerate(self.blocks):
            h = block(h)
            if number in GLOBAL:
                # Not amax: compiled in half precision, its gradient finds no place that is largest.
                every = torch.cat([h.mean(1), h.max(1).values], -1)
                h = h + self.wide[GLOBAL.index(number)](every)[:, None]
        return self.out(relu(self.norm(h)))


def features(pictures: torch.Tensor) -> torch.Tensor:
    """Return what enters the first layer, see the NumPy function of that name."""
    value, noise = pictures[:, 0], 10.0 ** pictures[:, 2]
    difference = pad(value[:, 1:] - value[:, :-1], (1, 0))
    steep = (difference / (noise + FLOOR)).clamp(-STEEPEST, STEEPEST) / 5.0
    rows = torch.cat([pictures, steep[:, None], 5.0 * difference[:, None]], 1)
    return rows.transpose(1, 2).reshape(rows.shape[0], rows.shape[2] // 2, -1)


def neighbours(x: torch.Tensor, distance: int) -> torch.Tensor:
    padded = pad(x, (0, 0, distance, distance))
    return torch.cat([padded[:, : -2 * distance], x, padded[:, 2 * distance :]], -1)
