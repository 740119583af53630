"""Score models on the coherence suite with what needs no model beside them, as one table.

    python -m benchmarks.coherence ../shared/data/tiny_models/stories260K.bin \\
        --data ../shared/data --sample ../shared/data/corpora/tinystories.jsonl.gz

Every model has its own tokenizer and so its own suite, trigram model and shortest option. Stories
that items are made of are not counted in the trigram model.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nucleate.core import Reading
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.text import read_documents
from nucleate.models.series import SeriesModel, find_series, load_tokenizer, open_weights
from nucleate.probes.baseline import NgramView
from nucleate.probes.coherence import coherence_suite
from nucleate.probes.coherence.baselines import UniformView, baseline_readings, sample_ngrams
from nucleate.probes.coherence.request import SuiteRequest
from nucleate.probes.coherence.stories import material
from nucleate.probes.suites import Suite
from nucleate.probes.view import ModelView

BASELINES = ("shortest", "trigram")


@dataclass(frozen=True)
class Scored:
    """One model and its baselines, by metric."""

    name: str
    suite: Suite
    readings: dict[str, Reading]
    baselines: dict[str, dict[str, Reading]]


def score(path: str, arguments: argparse.Namespace, sample: Sequence[str]) -> Scored:
    series = find_series(path)
    tokenizer = load_tokenizer(series)
    weights = open_weights(series.members[-1])
    model = SeriesModel(weights).load(weights)
    window = min(arguments.context, model.config.max_position_embeddings)
    folder = Path(arguments.data) if arguments.data else find_data_folder()
    suite = coherence_suite(
        tokenizer,
        data=folder,
        items=arguments.items,
        context=window,
        seed=arguments.seed,
        sample=sample,
    )
    request = SuiteRequest(tokenizer, folder, arguments.items, window, arguments.seed)
    asked = {" ".join(text.split()) for text in material(request).texts}
    unseen = [text for text in sample if " ".join(text.split()) not in asked]
    start = time.perf_counter()
    view = ModelView(model)
    readings = {r.metric: r for probe, items in suite.parts for r in probe.measure(view, items)}
    seconds = time.perf_counter() - start
    print(f"{path}: {suite.forward_tokens:,} tokens in {seconds:.0f} s", file=sys.stderr)
    baselines = {"shortest": baseline_readings(suite, UniformView(len(tokenizer)))}
    if sample:
        ngrams = sample_ngrams(unseen, tokenizer)
        baselines["trigram"] = baseline_readings(suite, NgramView(ngrams))
    return Scored(Path(path).stem, suite, readings, baselines)


def shown(reading: Reading | None) -> str:
    """Return value ± standard error, a dash where nothing was measured."""
    if reading is None or not reading.n:
        return "–"
    digits = 3 if abs(reading.value) < 10 else 1
    return f"{reading.value:.{digits}f} ± {reading.se:.{digits}f}"


def table(scored: Sequence[Scored], *, every: bool, measures: Sequence[str]) -> list[str]:
    """Return the table as lines of Markdown; primary metrics are set in bold."""
    head = ["level", "metric", "chance"]
    for one in scored:
        head += [f"n ({one.name})", one.name, *one.baselines]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    seen: dict[str, Reading] = {}
    for one in scored:
        seen = {**one.readings, **seen}
    primary = {stem for one in scored for stem in one.suite.primary.values()}
    ordered = sorted(
        seen.values(), key=lambda reading: list(type(reading.level)).index(reading.level)
    )
    for reading in ordered:
        stem, _, measure = reading.metric.rpartition(".")
        if measure not in measures or not (every or stem in primary or stem.count(".") < 2):
            continue
        name = f"**{reading.metric}**" if stem in primary else reading.metric
        chance = "" if reading.chance != reading.chance else f"{reading.chance:.3f}"
        cells = [str(reading.level), name, chance]
        for one in scored:
            own = one.readings.get(reading.metric)
            cells += [str(own.n) if own else "–", shown(own)]
            cells += [shown(base.get(reading.metric)) for base in one.baselines.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data")
    parser.add_argument(
        "--sample", help="text like the training corpus, to count names and trigrams in"
    )
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", action="store_true", help="paradigms and languages too")
    parser.add_argument("--measures", default="accuracy,acc_norm,score,retention,bits_per_byte")
    arguments = parser.parse_args()
    sample = (
        read_documents([arguments.sample], held_out_share=0.5).train if arguments.sample else ()
    )
    scored = [score(path, arguments, sample) for path in arguments.models]
    print("\n".join(table(scored, every=arguments.every, measures=arguments.measures.split(","))))
    for one in scored:
        print(f"\n{one.name}:", *(f"- {note}" for note in one.suite.notes), sep="\n")


if __name__ == "__main__":
    main()
