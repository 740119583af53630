"""Bits per byte of text in several languages: a loss that does not depend on the tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.probes.readings import mean_reading
from nucleate.probes.registry import probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView


class BitsItems:
    """Beginnings of texts, tokenised once.

    Args:
        texts: Of each language (or kind), texts that fit the window whole.
        tokenizer: Any `transformers` tokenizer.
        name: First part of the metric names.
        context: Longest sequence, in tokens.

    Raises:
        DataError: There are no texts, or one does not fit.
    """

    def __init__(
        self,
        texts: Mapping[str, Sequence[str]],
        tokenizer: Any,
        *,
        name: str = "multilingual",
        context: int = 2048,
    ) -> None:
        flat = [text for own in texts.values() for text in own]
        if not flat:
            raise DataError("no texts", where=f"BitsItems({name})")
        self.name, self.requests = (
            name,
            Requests([("", t) for t in flat], tokenizer, context=context),
        )
        ends = np.cumsum([len(own) for own in texts.values()]).tolist()
        self.groups = {
            language: list(range(end - len(own), end))
            for (language, own), end in zip(texts.items(), ends, strict=True)
        }

    @property
    def cost(self) -> int:
        """Tokens that one measurement sends through the model."""
        return self.requests.cost


def bits_per_byte(log_prob: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return -log2 p per byte from log p in nats."""
    return np.asarray(-log_prob / math.log(2) / size)


def _cost(items: BitsItems) -> int:
    return items.cost


@probe(name="multilingual", level=Level.COOCCURRENCE, unit="bits/byte", cost=_cost)
def multilingual(view: ModelView, items: BitsItems) -> Iterable[Reading]:
    """Mean over texts of bits per byte of UTF-8, by language; 8 is knowing nothing of bytes.

    Scripts differ in bytes per letter, so languages are compared with themselves over time, never
    with each other.
    """
    scores = items.requests.score(view)
    values = bits_per_byte(scores.log_prob, scores.bytes)
    for language, places in items.groups.items():
        yield mean_reading(
            f"{items.name}.{language}.bits_per_byte",
            values[places],
            level=Level.COOCCURRENCE,
            unit="bits/byte",
        )
