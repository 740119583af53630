"""What a run did and what was found, for a paper: nothing that its record does not hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.core import NucleateError, Verdict
from nucleate.core.flops import count_parameters, read_architecture
from nucleate.core.units import si
from nucleate.core.units import tokens as in_tokens
from nucleate.views.architectures import a_model
from nucleate.views.facts import costs
from nucleate.views.labels import level_name, plain_name, probability, span
from nucleate.views.rows import VerdictRow, verdict_rows

if TYPE_CHECKING:
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

NAMED = 6
"""Sharp changes that are written out; more are counted."""


@dataclass(frozen=True, slots=True)
class Paper:
    """Text to paste.

    Attributes:
        methods: How the run was made, measured and judged.
        results: What was found, with its numbers.
        citation: BibTeX of the software.
    """

    methods: str
    results: str
    citation: str


def paper(run: Run, found: Analysis) -> Paper:
    """Write the paragraphs about a run; a fact that was not recorded is left out, not guessed."""
    from nucleate.views.cite import bibtex

    methods = [_training(run, found), _measured(run, found), *_judged(found)]
    return Paper(
        methods=" ".join(sentence for sentence in methods if sentence),
        results=" ".join(_results(found)),
        citation=bibtex(),
    )


def _training(run: Run, found: Analysis) -> str:
    recipe = run.manifest.recipe
    if "scan" in recipe:
        number = len({step.step for step, _ in run.readings()})
        return f"We measured {number} checkpoint{'s' if number != 1 else ''} of {found.name}."
    if "imported" in recipe:
        source = _mapping(recipe, "imported").get("source")
        return f"We read the curves of {found.name} from {source or 'another tool'}."
    model = _model(run)
    length = _count(found.last.tokens, "token", "tokens") if found.axis == "tokens" else ""
    if "watched" in recipe:
        what = f"a model of class {recipe['watched']}"
        return f"We trained {what} for {length} with nucleate watching; its own program trained it."
    optimiser, corpus = _mapping(recipe, "optimizer"), _mapping(recipe, "corpus")
    parts = [f"We trained {model}"]
    if corpus:
        parts.append(f"on {_data(corpus, run)}")
    parts.append(f"for {length} ({found.last.step} optimiser steps{_batch(recipe)})")
    if optimiser.get("kind") in ("adamw", "muon"):
        parts.append(f"with {_optimiser(optimiser)}")
    sentence = " ".join(parts) + "."
    return " ".join(
        part for part in (sentence, _schedule(run), _machine(run), _steered(run)) if part
    )


def _model(run: Run) -> str:
    """Describe the model by the config of its checkpoints, else by the recipe."""
    config = _config(run.path)
    family = config.get("model_type") or _mapping(run.manifest.recipe, "model").get("family")
    name = a_model({"neox": "gpt_neox"}.get(str(family), str(family or "")))
    try:
        shape = read_architecture(config)
        count, active = count_parameters(shape)
    except NucleateError:
        return name
    size = f"{si(count)} parameters" + (f", {si(active)} active" if active != count else "")
    return (
        f"{name} ({shape.layers} layers, width {shape.width}, {shape.heads} heads, "
        f"vocabulary {shape.vocab}, {size})"
    )


def _config(run: Path) -> Mapping[str, Any]:
    """Return the config of the state to go on from, else of any checkpoint."""
    for path in (run / "resume" / "config.json", *sorted(run.glob("checkpoints/*/config.json"))):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            return content
    return {}


def _data(corpus: Mapping[str, Any], run: Run) -> str:
    if corpus.get("kind") == "story_world":
        split = corpus.get("probes")
        asked = f"; probes ask its {split} split" if split else ""
        return f"text of the story world of nucleate (world {corpus.get('world')}{asked})"
    paths = corpus.get("paths")
    names = [Path(str(path)).name for path in paths] if isinstance(paths, (list, tuple)) else []
    held = corpus.get("held_out_share")
    kept = f"; {held:.1%} of its documents held out" if isinstance(held, float) else ""
    return f"text ({', '.join(names) or 'sources not recorded'}{kept})"


def _batch(recipe: Mapping[str, Any]) -> str:
    rows, context = recipe.get("rows"), recipe.get("context")
    if isinstance(rows, int) and isinstance(context, int):
        return f" of {rows} sequences of {context} tokens"
    return ""


def _optimiser(settings: Mapping[str, Any]) -> str:
    adamw = f"AdamW (peak learning rate {settings.get('lr')}"
    rest = (
        f"weight decay {settings.get('weight_decay')}, gradients clipped at {settings.get('clip')}"
    )
    if settings["kind"] == "adamw":
        return f"{adamw}, betas {_plain(settings.get('betas'))}, {rest})"
    return (
        f"Muon for the matrices between embedding and head (peak learning rate "
        f"{settings.get('matrix_lr')}, momentum {settings.get('momentum')}) and {adamw}) for the "
        f"rest ({rest})"
    )


def _schedule(run: Run) -> str:
    """Say when the learning rate stood at its peak, by the record."""
    steps, _ = run.losses()
    steps = [step for step in steps if step.lr > 0]
    if not steps:
        return ""
    peak = max(step.lr for step in steps)
    high = [step.tokens for step in steps if step.lr >= 0.999 * peak]
    if len(high) == len(steps):
        return "The learning rate was constant."
    words = f"The learning rate reached its peak at {in_tokens(high[0])} tokens"
    if high[-1] < steps[-1].tokens:
        words += f" and fell after {in_tokens(high[-1])} tokens"
    return words + "."


def _machine(run: Run) -> str:
    recipe, there = run.manifest.recipe, run.manifest.environment
    precision = {"fp32": "single precision", "bf16": "bfloat16 autocast"}.get(
        str(recipe.get("precision")), ""
    )
    versions = [f"{name} {there[name]}" for name in ("torch", "transformers") if there.get(name)]
    where = f"on {there['device']}" if there.get("device") else ""
    seeds = sorted({str(seed) for seed in run.manifest.seeds.values()})
    parts = [part for part in (precision, where, f"with {', '.join(versions)}") if part.strip()]
    named = f"seed {', '.join(seeds)}, " if seeds else ""
    return f"Training used {named}{' '.join(parts)}." if versions else ""


def _steered(run: Run) -> str:
    policy, decisions = run.manifest.recipe.get("policy"), run.decisions()
    words = ""
    if isinstance(policy, (list, tuple)) and policy:
        words = (
            f"It was steered by {_count(len(policy), 'rule', 'rules')} written down beforehand, "
            f"which fired {_count(len(decisions), 'time', 'times')}."
        )
    starts = len(run.attempts())
    if starts > 1:
        words += f" It took {starts} process starts."
    return words.strip()


def _measured(run: Run, found: Analysis) -> str:
    curves = list(found.curves.values())
    if not curves:
        return ""
    readings = [len(curve.steps) for curve in curves]
    items = [count for curve in curves for count in curve.counts if count > 0]
    version = run.manifest.nucleate
    often = _range(readings)
    words = (
        f"nucleate {version} read {_count(len(curves), 'metric', 'metrics')} {often} time"
        f"{'s' if max(readings) > 1 else ''} each"
    )
    axis = [t for curve in curves for t in (curve.tokens[0], curve.tokens[-1]) if t > 0]
    if axis and max(readings) > 1:
        words += f" between {in_tokens(min(axis))} and {in_tokens(max(axis))} {found.axis}"
    if items:
        words += f", over {_range(items)} items"
    share = costs(run.ledger()).probe_share
    if math.isfinite(share):
        words += f"; probes took {share:.1%} of the FLOPs"
    return words + "."


def _judged(found: Analysis) -> list[str]:
    """Say by which rule curves were called sharp; nothing where none was long enough to judge."""
    from nucleate.detect import ALPHA, MAX_WIDTH
    from nucleate.detect.family import FALSE_DISCOVERY_RATE
    from nucleate.views.analysis import detector
    from nucleate.views.cite import installed

    judged = [a for a in found.assessments.values() if a.verdict is not Verdict.UNRESOLVED]
    if not judged:
        return []
    return [
        f"Each of {_count(len(found.assessments), 'curve', 'curves')} over log10({found.axis}) was "
        f"compared with a smooth trend with autocorrelated noise by the detector of nucleate "
        f"{installed()} (source {detector()[:12]}): p is the share of simulated smooth curves on "
        f"which its network sees as sharp a change, and lower where likelihoods add to it. A "
        f"change was called sharp where p ≤ {ALPHA:g} and its 10–90 % width is below "
        f"{MAX_WIDTH:g} decades, with p adjusted over all curves of the run (Benjamini and "
        f"Yekutieli 2001) to q ≤ {FALSE_DISCOVERY_RATE:g}.",
        "It was called a transition candidate only where an accuracy and its continuous margin "
        "changed sharply at one place. Intervals are 95 % profile-likelihood intervals, never "
        "narrower than the readings on either side.",
    ]


def _results(found: Analysis) -> list[str]:
    rows = verdict_rows(found)
    if not rows or not any(a.verdict is not Verdict.UNRESOLVED for a in found.assessments.values()):
        return ["There were too few readings to judge any curve."]
    sharp = [row for row in rows if row.sharp]
    primary = set(found.primary.values())
    sharp.sort(key=lambda row: (row.metric not in primary, row.level_index, row.at))
    out = [_counted(found)]
    if sharp:
        named = "; ".join(_told(row, found.axis) for row in sharp[:NAMED])
        more = len(sharp) - NAMED
        out.append(f"{named}{f'; and {more} more sharp changes' if more > 0 else ''}.")
    seeds = "one run" if len(sharp) else "one run, and no proof that nothing changes sharply"
    out.append(f"This is {seeds}.")
    return out


def _counted(found: Analysis) -> str:
    verdicts = [a.verdict for a in found.assessments.values()]
    counts = [(verdict, verdicts.count(verdict)) for verdict in Verdict]
    said = ", ".join(f"{verdict} {number}" for verdict, number in counts if number)
    return f"Of {_count(len(verdicts), 'curve', 'curves')}: {said}."


def _told(row: VerdictRow, axis: str) -> str:
    width = f"width {row.width:.2g} decades, " if row.width else ""
    return (
        f"{level_name(row.level)}, {plain_name(row.metric)}: {row.verdict} at "
        f"{in_tokens(row.at)} {axis} (95 % {span(row.lo, row.hi)}; {width}amplitude "
        f"{row.amplitude:+.2g}{f' {row.amplitude_unit}' if row.amplitude_unit else ''}, "
        f"p {_equals(row.p)}, q {_equals(row.q)})"
    )


def _equals(value: float | None) -> str:
    shown = probability(value)
    return shown if shown.startswith("≤") else f"= {shown}"


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _count(number: int, one: str, many: str) -> str:
    return f"{in_tokens(number) if number >= 10_000 else number} {one if number == 1 else many}"


def _mapping(recipe: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = recipe.get(key)
    return found if isinstance(found, Mapping) else {}


def _plain(values: Any) -> str:
    return " and ".join(map(str, values)) if isinstance(values, (list, tuple)) else str(values)
