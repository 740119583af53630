"""Some items of a probe as choices between options: what a composite score is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.probes.behaviour.boxes import BoxItems
from nucleate.probes.behaviour.choice import ChoiceItems
from nucleate.probes.behaviour.endings import EndingItems
from nucleate.probes.behaviour.pairs import PairItems

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairChoices:
    """Pairs: coherent against corrupted, so a choice of two."""

    items: PairItems
    places: tuple[int, ...]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Number of each pair's document."""
        return np.array(self.items.clusters, dtype=np.int64)[list(self.places)]

    def options(self, view: Any) -> list[Floats]:
        """Return the difference of log-probabilities against nought."""
        differences = self.items.differences(view)[list(self.places)]
        return [np.array([difference, 0.0]) for difference in differences]


@dataclass(frozen=True)
class SomeChoices:
    """Some items of a multiple choice, as they are."""

    items: ChoiceItems
    places: tuple[int, ...]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Number of each item's document."""
        return np.asarray(self.items.clusters, dtype=np.int64)[list(self.places)]

    def options(self, view: Any) -> list[Floats]:
        """Return the log-probabilities of the options."""
        found = self.items.options(view)
        return [found[place] for place in self.places]


@dataclass(frozen=True)
class EndingGains:
    """Endings by what their story adds: length and frequency of an ending cancel."""

    items: EndingItems
    places: tuple[int, ...]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Number of each story."""
        return np.asarray(self.items.clusters, dtype=np.int64)[list(self.places)]

    def options(self, view: Any) -> list[Floats]:
        """Return log p(ending | story) - log p(ending) of each option."""
        found = self.items.gains(view)
        return [found[place] for place in self.places]


@dataclass(frozen=True)
class BoxPairs:
    """The right thing of a box against one foil, such that shallow readers earn one half.

    Attributes:
        near: Take the items whose last mention is right, with a foil that is neither the last
            mention nor the initial content; else those whose last mention is wrong, as the foil.
            Over both, a reader of last mentions is right half of the time.
    """

    items: BoxItems
    near: bool

    @property
    def clusters(self) -> NDArray[np.int64]:
        """A number of its own for each item."""
        return np.array([-1 - place for place, _ in self._foils()], dtype=np.int64)

    def options(self, view: Any) -> list[Floats]:
        """Return the log-probabilities of the right thing and of the foil."""
        found = self.items.options(view)
        return [found[place][[0, foil]] for place, foil in self._foils()]

    def _foils(self) -> list[tuple[int, int]]:
        """Return place and foil of each item; small worlds may hold no thing that will do."""
        foils = [
            (place, item.last or (2 if item.initial == 1 else 1))
            for place, item in enumerate(self.items.items)
            if (item.last == 0) is self.near
        ]
        return [
            (place, foil) for place, foil in foils if foil < len(self.items.items[place].options)
        ]
