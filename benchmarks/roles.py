"""Which heads have which role at every kept checkpoint of runs of the story world, on many rows.

    python -m benchmarks.roles runs/demo/seed* --rows 240

A run looks at its heads on few rows, because looking is paid from its cap. This asks the kept
checkpoints again, on development stories that the run was not watched with, and prints a row for
each run, role and head that has it at the last checkpoint: score, what its behaviour loses without
it (nats, ± one standard error), since which checkpoint it has the role, and at which before it did
not. `--every` prints all checkpoints. `--without L2H0,L2H3` says instead what each behaviour loses
at the last checkpoint without these heads, mean-ablated together (± one standard error over rows).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from nucleate.core import Step
from nucleate.core.heads import HeadTable, unlabel
from nucleate.core.units import tokens
from nucleate.corpora.storyworld import Split, make_world
from nucleate.models import find_checkpoints, load_checkpoint
from nucleate.models.interventions import ablated, mean_outputs
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.story_items import story_head_items
from nucleate.probes.mechanism.suite import head_suite
from nucleate.probes.view import ModelView
from nucleate.store import Run
from nucleate.store.heads import HeadHistory, since
from nucleate.train.recipe import Recipe
from nucleate.train.workload import build_workload


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--role", action="append", help="entity link and name mover")
    parser.add_argument("--every", action="store_true", help="print every checkpoint")
    parser.add_argument("--without", help="heads to ablate together, as L2H0,L2H3")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    if wish.without:
        for folder in wish.runs:
            print_lost(folder, wish.rows, wish.without.split(","))
        return
    roles = wish.role or ["entity link", "name mover"]
    print("| seed | role | head | score | lost without it, nats | has it since | not yet at |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for folder in wish.runs:
        history = looked_at(folder, wish.rows)
        seed = Run.open(folder).manifest.seeds["model"]
        for role in roles:
            if wish.every:
                for step, held in zip(history.steps, history.holders(role), strict=True):
                    print(f"  {tokens(step.tokens)}: {role}: {', '.join(held) or 'none'}")
            for head in history.holders(role)[-1] or ("none",):
                print(f"| {seed} | {role} | {described(history, role, head)} |", flush=True)


def items_of(folder: Path, rows: int) -> HeadItems:
    """Return development stories that a run was not watched with."""
    recipe = Recipe.model_validate(Run.open(folder).manifest.recipe)
    corpus: Any = recipe.corpus
    return story_head_items(
        make_world(corpus.world),
        corpus.mixture,
        build_workload(recipe).tokenizer,
        split=Split.DEVELOPMENT,
        rows=rows,
        context=recipe.context,
    )


@torch.no_grad()
def print_lost(folder: Path, rows: int, heads: list[str]) -> None:
    """Print what each behaviour loses without several heads, and how often its score is above 0."""
    items = items_of(folder, rows)
    model = load_checkpoint(find_checkpoints(folder / "checkpoints")[-1][1]).model.eval()
    means = mean_outputs(model, items.ids_BT, items.real_BT)
    whole, less = model(input_ids=items.ids_BT, use_cache=False).logits, None
    with ablated(model, [unlabel(head) for head in heads], means):
        less = model(input_ids=items.ids_BT, use_cache=False).logits
    for behaviour in items.behaviours:
        row_Q, place_Q = behaviour.row_Q, behaviour.place_Q
        before = behaviour.scores(whole[row_Q, place_Q]).double()
        after = behaviour.scores(less[row_Q, place_Q]).double()
        lost, error = clustered(before - after, row_Q)
        print(
            f"{folder.name} without {' '.join(heads)}: {behaviour.name} loses {lost:.2f} ± "
            f"{error:.2f} nats over {len(row_Q)} questions; score above 0 in "
            f"{(before > 0).double().mean():.2f} -> {(after > 0).double().mean():.2f}",
            flush=True,
        )


def clustered(values_Q: torch.Tensor, row_Q: torch.Tensor) -> tuple[float, float]:
    """Return the mean over questions and its standard error over rows."""
    mean = values_Q.mean()
    sums = torch.zeros(int(row_Q.max()) + 1, dtype=torch.float64)
    sums.index_add_(0, row_Q, values_Q - mean)
    num = row_Q.unique().numel()
    error = (num / (num - 1) * sums.square().sum()).sqrt() / len(values_Q)
    return float(mean), float(error)


def looked_at(folder: Path, rows: int) -> HeadHistory:
    """Ask every checkpoint of a run."""
    items = items_of(folder, rows)
    steps: list[Step] = []
    tables: list[HeadTable] = []
    for step, path in find_checkpoints(folder / "checkpoints"):
        view = ModelView(load_checkpoint(path).model)
        for probe, what in head_suite(items).parts:
            list(probe.measure(view, what))
        steps.append(step)
        tables.append(view.heads)
    return HeadHistory(tuple(steps), tuple(tables))


def described(history: HeadHistory, role: str, head: str) -> str:
    """Return the cells of a head that has a role at the last checkpoint, or of nobody."""
    if head == "none":
        return "none | – | – | – | –"
    last, place = history.tables[-1], unlabel(head)
    cells = [head]
    for name in last.asked[role]:
        scores = last.scores[name]
        cells.append(f"{scores.values_LH[place]:.2f} ± {scores.se_LH[place]:.2f}")
    before, first = since(history, role, head)
    return " | ".join([*cells, tokens(first), tokens(before) if before else "–"])


if __name__ == "__main__":
    main()
