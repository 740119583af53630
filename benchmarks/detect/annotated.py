"""Plain mode beside its peers on simulated series, scored as the annotated benchmark scores.

``python -m benchmarks.detect.annotated`` prints covering and F1 by kind of series. The definitions
are those of van den Burg and Williams 2020 (arXiv 2003.06222) and of their TCPDBench code; the
series are ours: nothing of theirs is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from benchmarks.detect.peers import bocpd_breaks, standardised
from benchmarks.detect.series import KINDS, Series, draw_series
from benchmarks.detect.tables import render
from nucleate.detect.plain import change_points

Annotations = Mapping[str, Collection[int]]
Detector = Callable[[np.ndarray], list[int]]

MARGIN = 5


def covering(annotations: Annotations, found: Collection[int], num: int) -> float:
    """Mean over annotators of how well the segments found cover theirs (their equation 6).

    >>> covering({"a": [5]}, [], 10)
    0.5
    """
    segments = _segments(found, num)
    return float(
        np.mean([_cover(_segments(theirs, num), segments) for theirs in annotations.values()])
    )


def f1(annotations: Annotations, found: Collection[int], margin: int = MARGIN) -> float:
    """F1 of change points; 0 counts as one that everybody finds.

    Precision is against the union of all annotators, recall is the mean over them.

    >>> f1({"a": [50]}, [])
    0.6666666666666666
    """
    mine = {0, *found}
    theirs = [{0, *points} for points in annotations.values()]
    precision = _matched(set().union(*theirs), mine, margin) / len(mine)
    recall = float(np.mean([_matched(points, mine, margin) / len(points) for points in theirs]))
    return 2.0 * precision * recall / (precision + recall)


def _matched(truths: set[int], found: set[int], margin: int) -> int:
    """How many true points have a found one within the margin, each serving only once."""
    free, count = set(found), 0
    for truth in sorted(truths):
        near = [(abs(truth - point), point) for point in free if abs(truth - point) <= margin]
        if near:
            free.remove(min(near)[1])
            count += 1
    return count


def _segments(breaks: Collection[int], num: int) -> list[tuple[int, int]]:
    inner = sorted({int(b) for b in breaks if 0 < b < num})
    return list(pairwise([0, *inner, num]))


def _cover(theirs: Sequence[tuple[int, int]], mine: Sequence[tuple[int, int]]) -> float:
    total = sum(
        (end - start) * max(_overlap((start, end), other) for other in mine)
        for start, end in theirs
    )
    return total / theirs[-1][1]


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Intersection over union of two stretches."""
    common = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return common / (a[1] - a[0] + b[1] - b[0] - common)


def plain(values: np.ndarray) -> list[int]:
    return [change.index for change in change_points(values)]


def nothing(values: np.ndarray) -> list[int]:
    return []


def _ruptures(name: str, **settings) -> Detector:
    def detect(values: np.ndarray) -> list[int]:
        import ruptures

        # What R's changepoint does by default: unit variance, MBIC penalty, five changes at most
        # for binary segmentation.
        y = standardised(values)
        model = getattr(ruptures, name)(model="l2", min_size=2, jump=1, **settings).fit(y)
        return [b for b in model.predict(pen=3.0 * np.log(y.size)) if b < y.size]

    return detect


def at_most_one(values: np.ndarray) -> list[int]:
    """One change of the mean at most, penalty MBIC, unit variance (AMOC of R's changepoint)."""
    y = standardised(values)
    place = np.arange(1, y.size)
    left = np.cumsum(y)[:-1]
    gain = left**2 * y.size / (place * (y.size - place))
    return [int(place[np.argmax(gain)])] if gain.max() > 3.0 * np.log(y.size) else []


def bocpd_default(values: np.ndarray) -> list[int]:
    return [b for b in bocpd_breaks(standardised(values)) if b < values.size]


DETECTORS: dict[str, Detector] = {
    "nucleate.detect.plain": plain,
    "PELT l2, MBIC, unit variance": _ruptures("Pelt"),
    "BinSeg l2, MBIC, unit variance": _ruptures("Binseg"),
    "AMOC, MBIC, unit variance": at_most_one,
    "BOCPD, hazard 1/100": bocpd_default,
    "nothing": nothing,
}


def compare(num: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Covering and F1 of every detector on `num` series of every kind.

    Returns:
        For each detector and kind, an array of shape ``(num, 2)``.
    """
    out: dict[str, dict[str, np.ndarray]] = {name: {} for name in DETECTORS}
    for k, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, k])
        drawn = [draw_series(rng, kind) for _ in range(num)]
        for name, detector in DETECTORS.items():
            out[name][kind] = np.array([score(one, detector(one.values)) for one in drawn])
    return out


def score(series: Series, found: list[int]) -> tuple[float, float]:
    """Covering and F1 of one segmentation."""
    num = series.values.shape[0]
    return covering(series.annotations, found, num), f1(series.annotations, found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detect.annotated", description=__doc__)
    parser.add_argument("--series", type=int, default=40, help="series of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    results = compare(given.series, given.seed)
    names = list(DETECTORS)
    lines = [["covering / F1", *names]]
    for kind in KINDS:
        means = [results[name][kind].mean(axis=0) for name in names]
        lines.append([kind, *(f"{cover:.2f} / {f:.2f}" for cover, f in means)])
    every = [np.concatenate(list(results[name].values())).mean(axis=0) for name in names]
    lines.append(["all", *(f"{cover:.3f} / {f:.3f}" for cover, f in every)])
    print(render(lines, given.markdown))
    print(f"{given.series} series of each kind, seed {given.seed}, margin {MARGIN}.")


if __name__ == "__main__":
    main()
