"""Whether a score of texts goes with what people say of them: rank correlation with an interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True)
class RatedText:
    """A text that people have rated.

    Attributes:
        sentences: In order, as the raters saw them.
        rating: Consensus of the raters on the whole, 1 to 5.
        raters: What each rater said of the whole.
        flagged: Per sentence, how many raters named a reason why it does not fit.
    """

    sentences: tuple[str, ...]
    rating: float
    raters: tuple[float, ...]
    flagged: tuple[int, ...]


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation, its 95 % bootstrap interval, and the number of texts."""

    rho: float
    lo: float
    hi: float
    n: int


def read_ratings(rows: Iterable[Mapping[str, Any]]) -> list[RatedText]:
    """Read stories of CoheSentia (Maimon and Tsarfaty 2023); shorter than two sentences, left out.

    Args:
        rows: ``{"sentences", "holistic_score", "holistic_annot", "reasons"}``; reasons name the
            places of sentences, from 0 on, for each rater.
    """
    rated = []
    for row in rows:
        sentences = [" ".join(text.split()) for text in row["sentences"] if text.strip()]
        if len(sentences) < 2:
            continue
        flagged = [0] * len(sentences)
        for places in (row.get("reasons") or {}).values():
            for place in places or ():
                if int(place) < len(sentences):
                    flagged[int(place)] += 1
        raters = tuple(float(value) for value in (row.get("holistic_annot") or {}).values())
        rated.append(
            RatedText(tuple(sentences), float(row["holistic_score"]), raters, tuple(flagged))
        )
    return rated


def spearman(
    scores: ArrayLike, ratings: ArrayLike, *, draws: int = DRAWS, seed: int = 0
) -> Correlation:
    """Correlate ranks; texts without a score are left out.

    The interval is the percentile bootstrap over texts.
    """
    one, other = _finite(scores, ratings)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = rng.integers(0, len(one), len(one))
        drawn.append(_rho(one[chosen], other[chosen]))
    lo, hi = np.nanquantile(drawn, (0.025, 0.975))
    return Correlation(_rho(one, other), float(lo), float(hi), len(one))


def partial_spearman(
    scores: ArrayLike, ratings: ArrayLike, given: ArrayLike, *, draws: int = DRAWS, seed: int = 0
) -> Correlation:
    """Correlate ranks of scores and ratings after a third quantity's ranks are taken out of both.

    Args:
        given: What is held constant (length, say), shape ``(texts,)``.
    """
    one, other, third = _finite(scores, ratings, given)
    rng = np.random.default_rng(seed)

    def partial(chosen: NDArray[np.int64]) -> float:
        xy, xz, yz = (
            _rho(a[chosen], b[chosen]) for a, b in ((one, other), (one, third), (other, third))
        )
        return float((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))

    size = len(one)
    drawn = [partial(rng.integers(0, size, size)) for _ in range(draws)]
    lo, hi = np.nanquantile(drawn, (0.025, 0.975))
    return Correlation(partial(np.arange(size)), float(lo), float(hi), size)


def area_under_curve(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return P(score of a positive > score of a negative), ties counted half."""
    from scipy.stats import rankdata

    values, flags = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    ones = int(flags.sum())
    if not 0 < ones < len(flags):
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[flags].sum() - ones * (ones + 1) / 2) / (ones * (len(flags) - ones)))


def _rho(one: Floats, other: Floats) -> float:
    from scipy.stats import rankdata

    a, b = rankdata(one), rankdata(other)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _finite(*columns: ArrayLike) -> list[Floats]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    kept = np.all([np.isfinite(array) for array in arrays], axis=0)
    return [array[kept] for array in arrays]
