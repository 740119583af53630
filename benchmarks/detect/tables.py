"""From what detectors said to tables of rates, each with its 95 % band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import beta

from benchmarks.detect.curves import CHANGES
from benchmarks.detect.evaluate import OURS, Row

NOTE = (
    "A claim is a transition (step or kink). Every change is clear (signal-to-noise of 8 or more "
    "beyond its own quartic in log step); found: a claim within .2 decades of it. Bands are exact "
    "binomial, 95 %."
)

COLUMNS = (
    "detector",
    "false alarms, smooth",
    "warm-up",
    "WSD",
    "cosine",
    "spikes",
    "restarts",
    "restarts cut off by the end",
    "changes found",
    "steps and cliffs",
    "kinks",
    "precision",
    "interval covers",
    "its width: sparse / dense / all",
    "readings around the change",
    "error of place",
    "panels of 20 with a claim",
    "s per curve",
    "curves",
)


def rate(hits: int, num: int) -> str:
    """A share in per cent with its Clopper-Pearson band.

    >>> rate(1, 20)
    '5.0 % (0.1-25)'
    """
    if num == 0:
        return "-"
    low = beta.ppf(0.025, hits, num - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, num - hits) if hits < num else 1.0
    return f"{100 * hits / num:.1f} % ({_short(100 * low)}-{_short(100 * high)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def main_table(rows: Sequence[Row]) -> list[list[str]]:
    """One line per detector, with a header."""
    names = list(dict.fromkeys(row.detector for row in rows))
    return [
        list(COLUMNS),
        *(_line(name, [r for r in rows if r.detector == name]) for name in names),
    ]


def _line(name: str, rows: list[Row]) -> list[str]:
    alone = [row for row in rows if row.panel < 0]
    changed = [row for row in alone if row.what in CHANGES]
    hits = [hit for row in changed for hit in row.hits]
    claims = sum(row.claims for row in changed)
    found = [hit for hit in hits if hit]
    panels: dict[int, bool] = {}
    for row in rows:
        if row.panel >= 0:
            panels[row.panel] = panels.get(row.panel, False) or row.claims > 0
    return [
        name,
        *(claimed(alone, what) for what in ("smooth", "warm-up", "wsd", "cosine")),
        *(claimed(alone, what) for what in ("spike", "restart", "cut restart")),
        rate(len(found), len(hits)),
        _share_found(row for row in changed if row.what != "kink"),
        _share_found(row for row in changed if row.what == "kink"),
        rate(len(found), claims),
        rate(*covered(changed)),
        " / ".join(_median(w) for w in _widths(changed)),
        " / ".join(_median(gaps) for gaps in _gaps(changed)),
        _median([hit[2] for hit in found]),
        rate(sum(panels.values()), len(panels)),
        f"{np.mean([row.seconds for row in rows]):.3f}",
        str(len(alone)),
    ]


def claimed(rows: Iterable[Row], what: str) -> str:
    """Share of the curves of one sort on which anything is claimed."""
    these = [row for row in rows if row.what == what]
    return rate(sum(row.claims > 0 for row in these), len(these))


def _share_found(rows: Iterable[Row]) -> str:
    hits = [hit for row in rows for hit in row.hits]
    return rate(sum(hit is not None for hit in hits), len(hits))


def covered(rows: Iterable[Row]) -> tuple[int, int]:
    """How many intervals of changes that were found (kinks aside) hold the truth, of how many."""
    hits = [hit for row in rows if row.what != "kink" for hit in row.hits if hit]
    return sum(hit[0] for hit in hits), len(hits)


def _widths(rows: Sequence[Row]) -> tuple[list[float], list[float], list[float]]:
    """Lengths of the intervals of changes that were found, kinks aside."""
    return _by_grid((row, [hit[1] for hit in row.hits if hit]) for row in rows)


def _gaps(rows: Sequence[Row]) -> tuple[list[float], list[float], list[float]]:
    """Distances of the readings around all changes, kinks aside."""
    return _by_grid((row, row.gaps) for row in rows)


def _by_grid(
    values: Iterable[tuple[Row, Sequence[float]]],
) -> tuple[list[float], list[float], list[float]]:
    pairs = [
        (row.labels["grid"] == "dense", each)
        for row, some in values
        if row.what != "kink"
        for each in some
    ]
    sparse = [width for dense, width in pairs if not dense]
    return sparse, [width for dense, width in pairs if dense], [width for _, width in pairs]


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f}" if values else "-"


def cells(rows: Sequence[Row], detector: str = OURS) -> list[tuple[str, list[list[str]]]]:
    """Breakdowns of one detector: false alarms on curves without a change, then the changes."""
    mine = [row for row in rows if row.detector == detector and row.panel < 0]
    smooth = [row for row in mine if row.what == "smooth"]
    changed = [row for row in mine if row.what in CHANGES]
    out = []
    for key in ("shape", "grid", "size", "noise", "rho"):
        lines = [[key, "curves", "false alarms"]]
        for value in _values(smooth, key):
            these = [row for row in smooth if row.labels[key] == value]
            alarms = sum(row.claims > 0 for row in these)
            lines.append([value, str(len(these)), rate(alarms, len(these))])
        out.append((f"smooth curves by {key}", lines))
    for key in ("shape", "grid", "size", "noise", "rho", "width", "snr", "beside"):
        lines = [[key, "changes", "found", "precision", "interval covers", "width"]]
        for value in _values(changed, key):
            these = [row for row in changed if row.labels[key] == value]
            hits = [hit for row in these for hit in row.hits]
            found = [hit for hit in hits if hit]
            lines.append(
                [
                    value,
                    str(len(hits)),
                    rate(len(found), len(hits)),
                    rate(len(found), sum(row.claims for row in these)),
                    rate(sum(hit[0] for hit in found), len(found)),
                    _median([hit[1] for hit in found]),
                ]
            )
        out.append((f"clear changes by {key}", lines))
    return out


def _values(rows: Sequence[Row], key: str) -> list[str]:
    return sorted({row.labels[key] for row in rows})


def render(lines: Sequence[Sequence[str]], markdown: bool) -> str:
    """A table as Markdown, or in aligned columns."""
    if markdown:
        head, *body = ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join([head, "|" + "---|" * len(lines[0]), *body])
    if len(lines[0]) > 8:
        return "\n\n".join(_card(lines[0], line) for line in lines[1:])
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, width, strict=True)).rstrip()
        for line in lines
    )


def _card(head: Sequence[str], line: Sequence[str]) -> str:
    """A wide line turned upright."""
    pairs = zip(head[1:], line[1:], strict=True)
    return "\n".join([line[0], *(f"  {name:<32}{value}" for name, value in pairs)])
