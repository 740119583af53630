"""The calibration plots of docs/how-we-decide.md: ``python -m benchmarks.detect.plots``.

Left: on smooth curves, how often the p of the best event falls below a level (it should not exceed
the diagonal). Right: how many of the clear changes are found, by signal-to-noise.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.detect.curves import CLEAR, draw, draw_grid
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.cache import GridCache
from nucleate.detect.events import find_events
from nucleate.detect.series import clean

OUT = Path(__file__).parents[2] / "docs" / "img" / "calibration.svg"
GRIDS, SMOOTH_EACH, CHANGES_EACH = 24, 14, 4
LEVELS = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
BANDS = (8.0, 12.0, 20.0, 50.0, 2000.0)
COLOURS = {"step": "#0072B2", "cliff": "#009E73", "kink": "#D55E00"}
NEAR = 0.2


def main(seed: int = 31) -> None:
    """Draw the curves, search them, write the picture and print its numbers."""
    rng = np.random.default_rng(seed)
    cache = GridCache(MAX_WIDTH, 0, NUM_BOOTSTRAP)
    best_p: list[float] = []
    found: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in COLOURS}
    for _ in range(GRIDS):
        grid = draw_grid(rng)
        for _ in range(SMOOTH_EACH):
            curve = draw(rng, "smooth", grid)
            best_p.append(search(curve, cache).best_p)
        for kind, seen in found.items():
            for _ in range(CHANGES_EACH):
                try:
                    curve = draw(rng, kind, grid, least_snr=CLEAR, tries=60)
                except ValueError:
                    continue
                place = np.log10(curve.changes[0].at)
                events = search(curve, cache).tested
                hit = any(abs(event.where.at - place) < NEAR for event in events)
                seen.append((curve.snr, hit))
    OUT.write_text(picture(np.array(best_p), found) + "\n", encoding="utf-8")
    print(
        f"{len(best_p)} smooth curves; share with p below",
        dict(zip(LEVELS.tolist(), shares(best_p), strict=True)),
    )
    for kind, seen in found.items():
        print(kind, by_band(seen))


def search(curve, cache):
    """Return what the search finds at the default level."""
    return find_events(clean(curve.steps, curve.values, curve.stderr), cache, ALPHA)


def shares(best_p) -> list[float]:
    """Return the share of p-values at or below each level."""
    return [round(float(np.mean(np.asarray(best_p) <= level)), 4) for level in LEVELS]


def by_band(seen: list[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Return (middle of the band, share found, curves) for each band of signal-to-noise."""
    out = []
    for low, high in pairwise(BANDS):
        hits = [hit for snr, hit in seen if low <= snr < high]
        if hits:
            out.append((float(np.sqrt(low * min(high, 200.0))), float(np.mean(hits)), len(hits)))
    return out


def picture(best_p: np.ndarray, found: dict[str, list[tuple[float, bool]]]) -> str:
    """Return both panels as SVG."""
    left, right = 60, 420
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 330" font-family="sans-serif" '
        'font-size="12"><rect width="740" height="330" fill="#ffffff"/>'
    ]
    parts += axes(left, "level", "share of smooth curves with p below it", LEVELS, LEVELS)
    parts.append(line([(left + place(v, LEVELS), 270 - place(v, LEVELS) * 0.84) for v in LEVELS],
                      "#999999", dash=True))  # fmt: skip
    dots = [
        (left + place(level, LEVELS), 270 - place(share, LEVELS) * 0.84)
        for level, share in zip(LEVELS, shares(best_p), strict=True)
        if share >= LEVELS[0]
    ]
    parts += [line(dots, "#0072B2"), *(dot(x, y, "#0072B2") for x, y in dots)]
    parts.append(f'<text x="{left}" y="22" fill="#333">p of the best event, {best_p.size} smooth '
                 "curves (grey: exact)</text>")  # fmt: skip
    ticks = np.array([8.0, 12.0, 20.0, 50.0, 200.0])
    parts += axes(right, "signal-to-noise", "share found", ticks, None)
    for row, (kind, seen) in enumerate(found.items()):
        points = [(right + place(x, ticks), 270 - 210 * y) for x, y, _ in by_band(seen)]
        parts += [line(points, COLOURS[kind]), *(dot(x, y, COLOURS[kind]) for x, y in points)]
        parts.append(f'<text x="{right + 170}" y="{200 + 18 * row}" fill="{COLOURS[kind]}">'
                     f"{kind} ({len(seen)})</text>")  # fmt: skip
    parts.append(f'<text x="{right}" y="22" fill="#333">clear changes found</text>')
    return "".join([*parts, "</svg>"])


def place(value: float, ticks: np.ndarray) -> float:
    """Return the distance from the left end of a 250-wide logarithmic axis."""
    return float(250 * np.log(value / ticks[0]) / np.log(ticks[-1] / ticks[0]))


def axes(left: int, name: str, side: str, ticks: np.ndarray, sides: np.ndarray | None) -> list[str]:
    """Return a frame with its ticks and names."""
    out = [f'<path d="M{left} 60V270H{left + 250}" fill="none" stroke="#333"/>']
    for tick in ticks:
        x = left + place(tick, ticks)
        out.append(f'<text x="{x:.1f}" y="288" text-anchor="middle" fill="#333">{tick:g}</text>')
    heights = (
        [(270 - place(v, sides) * 0.84, f"{v:g}") for v in sides]
        if sides is not None
        else [(270 - 210 * v, f"{v:g}") for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    )
    out += [
        f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#333">{label}</text>'
        for y, label in heights
    ]
    out.append(f'<text x="{left + 125}" y="310" text-anchor="middle" fill="#333">{name}</text>')
    out.append(f'<text x="{left}" y="44" fill="#666">{side}</text>')
    return out


def line(points: list[tuple[float, float]], colour: str, *, dash: bool = False) -> str:
    """Return a polyline."""
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    style = ' stroke-dasharray="4 4"' if dash else ""
    return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'


def dot(x: float, y: float, colour: str) -> str:
    """Return a marker."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


if __name__ == "__main__":
    sys.exit(main())
