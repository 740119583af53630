"""Pictures changed in ways that leave what is sharp on them sharp, and nothing else."""

from __future__ import annotations

import math

import torch

from nucleate.detect.network.picture import BINS, CHANNELS

VALUE, READ, NOISE, SPAN, _, ERROR, HAS_ERROR, RATE, HAS_RATE = range(len(CHANNELS))

TILTED = 0.5
"""Share of the pictures that get another trend."""

UNTOLD = 0.15
"""Share of the pictures whose errors, or whose learning rate, are not told any more."""


def augmented(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures ``(num, C, BINS)`` upside down, tilted, with less told; changed in place.

    A straight line and a parabola of log step are added to half of them, up to twice as large as
    the curve's standard deviation, and the values standardised again. Every second one is turned
    upside down; errors and learning rates are kept back now and then.
    """
    num, device = len(pictures), pictures.device

    def uniform(low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return low + (high - low) * torch.rand((num, 1), generator=generator, device=device)

    pictures[::2, VALUE] *= -1.0
    z = torch.linspace(-1.0, 1.0, BINS, device=device)
    size = (uniform() < TILTED) * 10.0 ** uniform(-1.0, 0.3)
    angle = uniform(0.0, 2.0 * math.pi)
    trend = size * (torch.cos(angle) * z + torch.sin(angle) * (1.5 * z**2 - 0.5))
    read = pictures[:, READ]
    trend = _between_readings(trend, read)
    before = _deviation(pictures[:, VALUE], read)
    value = pictures[:, VALUE] + trend
    value = value - _mean(value, read) + _mean(pictures[:, VALUE], read)
    scale = _deviation(value, read) / before.clamp(min=1e-3)
    scale = torch.where((size > 0) & (scale > 0.05), scale, 1.0)
    pictures[:, VALUE] = torch.where(scale == 1.0, pictures[:, VALUE], value / scale)
    pictures[:, NOISE] -= torch.log10(scale)
    told = pictures[:, HAS_ERROR] * (uniform() >= UNTOLD)
    pictures[:, ERROR] = told * (pictures[:, ERROR] - torch.log10(scale))
    pictures[:, HAS_ERROR] = told
    told = pictures[:, HAS_RATE] * (uniform() >= UNTOLD)
    pictures[:, RATE] = told * pictures[:, RATE] + (1.0 - told)
    pictures[:, HAS_RATE] = told
    return pictures


def _between_readings(trend: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
    """Return a trend as pictures have it: straight from one bin with readings to the next."""
    place = torch.arange(BINS, device=read.device).expand_as(read)
    last = torch.where(read > 0, place, 0).cummax(1).values
    upcoming = torch.where(read > 0, place, BINS - 1).flip(1).cummin(1).values.flip(1)
    begin, end = trend.gather(1, last), trend.gather(1, upcoming)
    return begin + (end - begin) * (place - last) / (upcoming - last).clamp(min=1)


def _mean(value: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
    return (value * read).sum(1, keepdim=True) / read.sum(1, keepdim=True)


def _deviation(value: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
    centred = value - _mean(value, read)
    return _mean(centred**2, read).sqrt()
