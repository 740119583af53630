"""The network: dilated layers over the bins of a curve, evaluated with NumPy alone.

Legend: s curves, l places (half as many as bins), c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DILATIONS = (1, 2, 4, 8, 16, 1, 2, 4, 8, 16, 1, 2)
"""Distance, in places, of the neighbours that each layer looks at."""

GLOBAL = (4, 9)
"""Layers after which every place is told the mean and the largest of all places."""

STEEPEST = 30.0
"""Differences of neighbouring bins count up to so many deviations of the noise."""

FLOOR = 0.003
"""Added to the noise, in standard deviations of the curve, that differences are measured in."""

PLACES = 80


@dataclass(frozen=True)
class Network:
    """Weights by name."""

    weights: Mapping[str, Array]

    def logits(self, pictures: Array) -> Array:
        """Return the log odds of a sharp change at each place, shape ``(s, l, 2)``.

        The last axis tells steps (and cliffs) from kinks. A curve and its mirror image are the
        same to a reader, so the answers to both are averaged.

        Args:
            pictures: See `picture`, shape ``(s, C, BINS)``.
        """
        mirrored = pictures.copy()
        mirrored[:, 0] *= -1.0
        return np.asarray(0.5 * (self.one_sided(pictures) + self.one_sided(mirrored)))

    def one_sided(self, pictures: Array) -> Array:
        """Return the log odds for curves as they are, the other way up not asked."""
        h = self._linear("stem", _neighbours(features(pictures), 1))
        for number, dilation in enumerate(DILATIONS):
            z = self._linear(f"blocks.{number}.look", _neighbours(self._norm(number, h), dilation))
            h = h + self._linear(f"blocks.{number}.mix", np.maximum(z, 0.0))
            if number in GLOBAL:
                all_c = np.concatenate([h.mean(1), h.max(1)], axis=-1)
                h = h + self._linear(f"wide.{GLOBAL.index(number)}", all_c)[:, None]
        return self._linear("out", np.maximum(self._norm("out", h), 0.0))

    def _linear(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, which: int | str, x: Array) -> Array:
        name = f"blocks.{which}.norm" if isinstance(which, int) else "norm"
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])


def features(pictures: Array) -> Array:
    """Return what enters the first layer: bins in pairs, differences added, ``(s, l, 2 c)``."""
    value, noise = pictures[:, 0], 10.0 ** pictures[:, 2]
    difference = np.diff(value, axis=1, prepend=value[:, :1])
    steep = np.clip(difference / (noise + FLOOR), -STEEPEST, STEEPEST) / 5.0
    rows = np.concatenate([pictures, steep[:, None], 5.0 * difference[:, None]], axis=1)
    num, channels, bins = rows.shape
    pairs = rows.transpose(0, 2, 1).reshape(num, bins // 2, 2 * channels)
    return np.asarray(pairs, dtype=np.float32)


def _neighbours(x: Array, distance: int) -> Array:
    """Return each place beside those `distance` before and after it (zeros beyond the ends)."""
    before, after = np.zeros_like(x), np.zeros_like(x)
    before[:, distance:], after[:, :-distance] = x[:, :-distance], x[:, distance:]
    return np.concatenate([before, x, after], axis=-1)


@cache
def load_network() -> Network:
    """Return the network that comes with the package."""
    with (files("nucleate.detect.network") / "weights.npz").open("rb") as file:
        kept = np.load(file)
        return Network({name: kept[name].astype(np.float32) for name in kept.files})
