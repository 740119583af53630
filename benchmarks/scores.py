"""Measure the two scores and the text-level score: reliability and validity (`python -m benchmarks.scores`).

Needs the data folder (`../shared/data`, or $NUCLEATE_DATA). Nothing is fitted: what is printed is
what the definitions in docs/scores.md give.
"""  # noqa: E501 (one line, as everywhere)

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import Level
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.narrative.corruptions import corrupt, read_prose
from nucleate.corpora.sentences import sentence_runs
from nucleate.corpora.sets.rows import read_rows
from nucleate.models.series import SeriesModel, find_series, load_tokenizer, open_weights
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.coherence import coherence_suite
from nucleate.probes.coherence.baselines import UniformView, sample_ngrams
from nucleate.probes.coherence.stories import token_counter
from nucleate.probes.registry import get_probe
from nucleate.probes.scores.composite import Composite, Outcomes, score_of
from nucleate.probes.scores.reliability import retest, spearman_brown, split_half
from nucleate.probes.scores.text import TextItems, TextScores
from nucleate.probes.scores.validity import (
    Correlation,
    RatedText,
    area_under_curve,
    partial_spearman,
    read_ratings,
    spearman,
)
from nucleate.probes.view import ModelView

MODELS = {"stories260K": 512, "babyllama_tok105_step5000": 256}
NOISE = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Noise added to every matrix, in standard deviations of its entries: a ladder of worse models."""


def load(data: Path, name: str) -> tuple[Any, Any]:
    series = find_series(str(data / "tiny_models" / f"{name}.bin"))
    weights = open_weights(series.members[0])
    return SeriesModel(weights).load(weights), load_tokenizer(series)


def stories(data: Path) -> list[str]:
    rows = read_rows(data / "corpora" / "tinystories.jsonl.gz")
    return [" ".join(row["text"].split()) for row in rows if row["cased"]]


def blurred(model: Any, noise: float) -> Any:
    """Return a copy of a model with Gaussian noise on its matrices, always the same noise."""
    import copy

    import torch

    changed = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in changed.parameters():
            draw = torch.randn(weight.shape, generator=generator)
            if weight.dim() > 1:
                weight += noise * weight.std() * draw
    return changed


def views(data: Path, name: str, tokenizer: Any, model: Any) -> Iterator[tuple[str, Any]]:
    for noise in NOISE if name == "stories260K" else (0.0,):
        yield f"{name}, noise {noise}" if noise else name, ModelView(blurred(model, noise))
    yield "trigrams of TinyStories", NgramView(sample_ngrams(stories(data), tokenizer))
    yield "a guess", UniformView(len(tokenizer))


def composites(data: Path, tokenizer: Any, context: int, items: int, seed: int) -> list[Composite]:
    levels = [Level.NARRATIVE, Level.LONG_CONTEXT]
    suite = coherence_suite(
        tokenizer, data=data, items=items, context=context, levels=levels, seed=seed
    )
    return [asked for _, asked in suite.parts if isinstance(asked, Composite)]


def reliability(data: Path, items: int, seeds: int) -> None:
    for name, context in MODELS.items():
        model, tokenizer = load(data, name)
        asked = list(views(data, name, tokenizer, model))
        print(
            f"\n### {name}: window {context}, {items} items of a kind, {seeds} choices of items\n"
        )
        found: dict[str, list[list[Outcomes]]] = {}
        for seed in range(seeds):
            for composite in composites(data, tokenizer, context, items, seed):
                # A view keeps its answers, so each choice of items gets its turn and is dropped.
                own = [composite.outcomes(view) for _, view in asked]
                found.setdefault(composite.name, []).append(own)
                if seed == 0:
                    parts(composite, asked[0][0], own[0])
            asked = list(views(data, name, tokenizer, model))
        for score, by_seed in found.items():
            table(score, [label for label, _ in asked], by_seed)


def parts(composite: Composite, label: str, found: Outcomes) -> None:
    told = composite.by_group(found, found.hits)
    print(f"{composite.name} of {label}, by group: ", end="")
    print(", ".join(f"{group} {100 * value:.0f}" for group, value in told.items()))


def table(score: str, labels: list[str], by_seed: list[list[Outcomes]]) -> None:
    scores = np.array([[100 * score_of(o, o.hits)[0] for o in own] for own in by_seed]).T
    errors = [100 * score_of(o, o.hits)[1] for o in by_seed[0]]
    halves, own_error = split_half(by_seed[0])
    print(
        f"\n| {score} | mean of the choices (not cut) | their SD | SE, first | split-half error |"
    )
    print("| --- | --- | --- | --- | --- |")
    for label, row, se, half in zip(labels, scores, errors, own_error, strict=True):
        spread = row.std(ddof=1) if len(row) > 1 else float("nan")
        print(f"| {label} | {row.mean():.1f} | {spread:.1f} | {se:.1f} | {half:.1f} |")
    again = retest(scores) if scores.shape[1] > 1 else None
    print(f"\nsplit-half (Spearman–Brown) over {halves.models}: {halves.coefficient:.3f}", end="")
    print(
        f"; test–retest ICC(2,1): {again.coefficient:.3f}, error {again.error:.1f}" if again else ""
    )


def senseless(texts: list[str], number: int, seed: int = 0) -> list[str]:
    """Return documents whose sentences come one by one out of a trigram model of words."""
    import random

    rng = random.Random(f"senseless-{seed}")
    after: dict[tuple[str, str], list[str]] = {}
    sentences = [s for text in texts[:3000] for run in sentence_runs(text) for s in run]
    for sentence in sentences:
        words = ["", "", *sentence.split(), ""]
        for one, two, three in zip(words, words[1:], words[2:], strict=False):
            after.setdefault((one, two), []).append(three)

    def drawn() -> str:
        words = ["", ""]
        while len(words) < 3 or (words[-1] and len(words) < 30):
            words.append(rng.choice(after[words[-2], words[-1]]))
        return " ".join(words[2:]).strip()

    return [" ".join(drawn() for _ in range(16)) for _ in range(number)]


def controls(data: Path, items: int) -> None:
    """Ask about stories that make no sense: what is earned there is no coherence."""
    texts = stories(data)
    model, tokenizer = load(data, "stories260K")
    count = token_counter(tokenizer)
    print("\n### stories260K on TinyStories, and on sentences drawn from their trigrams\n")
    print("| kind | stories | senseless |\n| --- | --- | --- |")
    found = []
    for documents in (texts[-900:], senseless(texts, 900)):
        made = corrupt(read_prose(documents), each=items, longest=384, length=count)
        asked = PairItems((*made.contexts, *made.orders), tokenizer, context=512)
        found.append({r.metric: r for r in get_probe("coherence").measure(ModelView(model), asked)})
    for metric in found[0]:
        if metric.endswith(".accuracy"):
            told = [
                f"{own[metric].value:.2f} ± {own[metric].se:.2f}" if metric in own else "–"
                for own in found
            ]
            print(f"| {metric.split('.')[1]} | {told[0]} | {told[1]} |")


def validity(data: Path) -> None:
    rated = read_ratings(read_rows(data / "coherence_human_ratings" / "cohesentia.jsonl.gz"))
    ratings = np.array([text.rating for text in rated])
    words = np.array([sum(len(s.split()) for s in text.sentences) for text in rated])
    print(f"\n### Ratings of {len(rated)} machine-written stories (CoheSentia)\n")
    raters = [text.raters[:2] for text in rated if len(text.raters) > 1]
    one, other = np.array(raters).T
    print("| judge | Spearman's ρ with the rating | 95 % interval | ρ, length held constant |")
    print("| --- | --- | --- | --- |")
    line("one rater with another", spearman(one, other))
    line("− number of words", spearman(-words, ratings))
    line("word overlap of neighbouring sentences", spearman(overlap(rated), ratings))
    for name, context in MODELS.items():
        model, tokenizer = load(data, name)
        items = TextItems([text.sentences for text in rated], tokenizer, context=context)
        for label, view in (
            (name, ModelView(model)),
            (f"trigrams ({name}'s tokens)", NgramView(sample_ngrams(stories(data), tokenizer))),
        ):
            judge(label, items.score(view), rated, ratings, words)


def judge(label: str, found: TextScores, rated: list[RatedText], ratings: Any, words: Any) -> None:
    for measure in ("coherence", "order", "least", "fluency"):
        scores = getattr(found, measure)
        rho, held = spearman(scores, ratings), partial_spearman(scores, ratings, words)
        line(f"{label}: {'**coherence**' if measure == 'coherence' else measure}", rho, held)
    first, second = found.halves()
    kept = np.isfinite(first) & np.isfinite(second)
    half = float(np.corrcoef(first[kept], second[kept])[0, 1])
    gains = np.concatenate(found.gains)
    flagged = np.concatenate([np.array(text.flagged[1:]) > 0 for text in rated])
    asked = np.isfinite(gains)
    area = area_under_curve(-gains[asked], flagged[asked])
    print(
        f"| ({label}: split-half over sentences {spearman_brown(half):.2f}; "
        f"a flagged sentence gains less with probability {area:.2f}) | | | |"
    )


def line(label: str, found: Correlation, held: Correlation | None = None) -> None:
    told = f"{held.rho:.2f} ({held.lo:.2f} to {held.hi:.2f})" if held else ""
    print(f"| {label} | {found.rho:.2f} | {found.lo:.2f} to {found.hi:.2f} | {told} |")


def overlap(rated: list[RatedText]) -> Any:
    """Mean share of words that neighbouring sentences have in common."""
    scores = []
    for text in rated:
        sets = [set(sentence.lower().split()) for sentence in text.sentences]
        scores.append(np.mean([len(a & b) / len(a | b) for a, b in pairwise(sets)]))
    return np.array(scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--part", choices=("all", "controls", "reliability", "validity"), default="all"
    )
    wanted = parser.parse_args()
    data = find_data_folder()
    if data is None:
        raise SystemExit("needs the data folder: set NUCLEATE_DATA")
    begun = time.monotonic()
    if wanted.part in ("all", "validity"):
        validity(data)
    if wanted.part in ("all", "controls"):
        controls(data, 4 * wanted.items)
    if wanted.part in ("all", "reliability"):
        reliability(data, wanted.items, wanted.seeds)
    print(f"\n{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
