"""What a network finds on curves that were held out from its training."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.detect.training.draws import SORTS, Draws
from benchmarks.detect.training.model import Model
from nucleate.detect.network.picture import BINS


@torch.no_grad()
def tell(model: Model, draws: Draws, device: torch.device, rate: float = 0.01) -> None:
    """Print what is found where one smooth curve in a hundred is claimed, by sort."""
    model.eval()
    scores = np.concatenate(
        [
            model(torch.from_numpy(draws.picture[i : i + 500].astype(np.float32)).to(device))
            .amax(-1)
            .cpu()
            .numpy()
            for i in range(0, len(draws.span), 500)
        ]
    )
    best = scores.max(1)
    smooth = np.sort(best[draws.sort == SORTS.index("smooth")])[::-1]
    least = smooth[int(rate * smooth.size)]
    parts, hits, all_changes, false = [], 0, 0, 0
    for number, sort in enumerate(SORTS):
        mine = np.flatnonzero(draws.sort == number)
        if not draws.target[mine[0]].any():
            parts.append(f"{sort} {np.mean(best[mine] >= least):.3f}")
            continue
        counts = np.array([_hits(scores[i], draws.target[i], draws.span[i], least) for i in mine])
        parts.append(f"{sort} {counts[:, 0].sum() / counts[:, 1].sum():.3f}")
        hits, all_changes = hits + counts[:, 0].sum(), all_changes + counts[:, 1].sum()
        false += counts[:, 2].sum()
    precision = hits / max(hits + false, 1)
    print(f"  found {hits / all_changes:.3f}, precision {precision:.3f}: {', '.join(parts)}")


def _hits(score: np.ndarray, target: np.ndarray, span: float, least: float) -> tuple[int, int, int]:
    """Return changes found, changes there, claims of nothing."""
    score, reach = score.copy(), 0.2 / span * score.size
    truth = list(np.flatnonzero(target.max(0)) / BINS * score.size)
    num, hits, false = len(truth), 0, 0
    for _ in range(4):
        top = int(score.argmax())
        if score[top] < least:
            break
        near = [place for place in truth if abs(place - top - 0.5) <= reach]
        if near:
            truth.remove(min(near, key=lambda place: abs(place - top)))
            hits += 1
        else:
            false += 1
        score[max(0, int(top - reach)) : int(top + reach) + 2] = -np.inf
    return hits, num, false
