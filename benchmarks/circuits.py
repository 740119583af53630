"""Which attention patterns the final weights of runs show, layer by layer and head by head.

    python -m benchmarks.circuits studies/savings-w2/W2/runs-237565f1/T-*

Mean attention of each head to the previous token, and to the token after the previous occurrence of
the present one, on held-out rows of the development probes: the patterns that the lever
``reinforce`` pulls towards. Only for runs whose tokenizer can be made again from their recipe.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nucleate.corpora.storyworld import Split
from nucleate.models import load_checkpoint
from nucleate.store import Run
from nucleate.studies.savings.scoring import build_suite
from nucleate.studies.savings.settings import Scoring
from nucleate.train.levers.reinforce import (
    after_previous_occurrence,
    previous_token,
    visible_attention,
)
from nucleate.train.recipe import Recipe
from nucleate.train.state import FOLDER

ROWS = 24
PATTERNS = {"previous token": previous_token, "induction": after_previous_occurrence}


def main() -> None:
    """Print two lines for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    torch.set_num_threads(1)
    rows: dict[str, torch.Tensor] = {}
    for folder in (path for path in parser.parse_args().runs if path.is_dir()):
        recipe = Recipe.model_validate(Run.open(folder).manifest.recipe)
        key = recipe.corpus.model_dump_json() + str(recipe.context)
        if key not in rows:
            rows[key] = held_out(recipe)
        for name, masses in attention(load_checkpoint(folder / FOLDER).model, rows[key]).items():
            layers = " | ".join(" ".join(f"{x:.2f}" for x in layer) for layer in masses)
            print(f"{folder.name:36s} {name:15s} {layers}")


def held_out(recipe: Recipe) -> torch.Tensor:
    """Return rows of held-out text, shape ``(B, T)``."""
    suite = build_suite(recipe, Split.DEVELOPMENT, Scoring(items=8 * ROWS))
    items: Any = next(items for probe, items in suite.parts if probe.name == "loss")
    return torch.from_numpy(np.asarray(items.rows)[:ROWS])


@torch.no_grad()
def attention(model: Any, ids_BT: torch.Tensor) -> dict[str, list[list[float]]]:
    """Return mean attention to each pattern's target, by pattern, layer and head."""
    model.eval()
    layers = range(model.config.num_hidden_layers)
    with visible_attention(model, set(layers)) as seen:
        model(ids_BT)
    found: dict[str, list[list[float]]] = {}
    for name, pattern in PATTERNS.items():
        targets_BT, there_BT = pattern(ids_BT)
        index_B1T1 = targets_BT[:, None, :, None]
        found[name] = [
            seen[layer]
            .gather(-1, index_B1T1.expand(*seen[layer].shape[:3], 1))
            .squeeze(-1)
            .transpose(0, 1)[:, there_BT]
            .mean(1)
            .tolist()
            for layer in layers
        ]
    return found


if __name__ == "__main__":
    main()
