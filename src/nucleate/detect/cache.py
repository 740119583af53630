"""Grids and change tests, shared by curves with the same positions."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.change import ChangeTest
from nucleate.detect.covariance import RHOS
from nucleate.detect.likelihood import Grid
from nucleate.detect.series import Series

Array = NDArray[np.float64]

AVERAGED = 8
"""Averages of so many readings (median) are taken to be less correlated than single readings."""


MAX_GRIDS = 6
"""Grids kept at a time; one of 100 readings takes about 80 MB."""


class GridCache:
    """What curves with the same positions, weights and schedule share."""

    def __init__(self, max_width: float, seed: int, num_simulations: int) -> None:
        self.max_width, self.seed, self.num_simulations = max_width, seed, num_simulations
        self._grids: OrderedDict[bytes, Grid] = OrderedDict()
        self._changes: dict[bytes, ChangeTest] = {}

    def grid(self, series: Series) -> Grid:
        """Return the grid of a series."""
        key = grid_key(series)
        if key not in self._grids:
            relative = np.round(series.x - series.x[0], 9)
            rhos = tuple(RHOS)[:2] if _averaged(series) else tuple(RHOS)
            grid = Grid(relative, self.max_width, series.base, series.known_nk, rhos)
            self._grids[key] = grid
            if len(self._grids) > MAX_GRIDS:
                self._grids.popitem(last=False)
        self._grids.move_to_end(key)
        return self._grids[key]

    def change(self, x: Array) -> ChangeTest:
        """Return the test of overall change on x."""
        relative = np.round(x - x[0], 9)
        key = relative.tobytes()
        if key not in self._changes:
            self._changes[key] = ChangeTest(relative, self.seed, self.num_simulations)
        return self._changes[key]


def grid_key(series: Series) -> bytes:
    """Return what a grid depends on, as bytes: equal for series that share one.

    Only distances matter, so that rescaled axes give the same answer to the last bit.
    """
    if not series.x.size:
        return b""
    parts = (np.round(series.x - series.x[0], 9), series.base, series.known_nk)
    key = b"|".join(b"" if part is None else part.tobytes() for part in parts)
    return key + bytes([_averaged(series)])


def _averaged(series: Series) -> bool:
    return series.dense is not None and series.dense.x.size > AVERAGED * series.x.size
