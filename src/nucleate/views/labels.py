"""How levels, metrics and numbers are called in front of people."""

from __future__ import annotations

import math
import re

from nucleate.core import Level, Verdict, measure_of
from nucleate.core.units import si, tokens

LEVEL_NAMES = {
    Level.COOCCURRENCE: "Co-occurrence",
    Level.SYNTAX: "Syntax",
    Level.SEMANTICS: "Semantics",
    Level.NARRATIVE: "Narrative",
    Level.KNOWLEDGE: "Knowledge",
    Level.LONG_CONTEXT: "Long context",
    Level.TRUTH: "Truth",
    Level.ROBUSTNESS: "Robustness",
    Level.MECHANISM: "Mechanism",
    Level.LANDSCAPE: "Landscape",
}

METRIC_NAMES = {
    "ngram.unigram": "word frequencies",
    "ngram.bigram": "bigram statistics",
    "ngram.trigram": "trigram statistics",
    "agreement.simple": "simple agreement",
    "agreement.attractor": "agreement across an attractor",
    "agreement.matched": "agreement past a matching noun",
    "agreement.relative": "agreement across a relative clause",
    "agreement.relative_matched": "agreement past a matching relative clause",
    "cause": "causal consistency",
    "fact.common": "recall of common facts",
    "fact.middle": "recall of facts of middling frequency",
    "fact.rare": "recall of rare facts",
    "state.where": "tracking where characters are",
    "state.where_near": "where characters are, last mention right",
    "state.where_far": "where characters are, last mention wrong",
    "state.holder": "tracking who holds what",
    "state.holder_near": "who holds what, last mention right",
    "state.holder_far": "who holds what, last mention wrong",
    "ending": "endings that follow the plot",
    "coherence.order": "order of events",
    "coherence.contradiction": "spotting contradictions",
    "refrain": "copying a refrain",
    "loss.held_out": "loss on held-out text",
    "loss.in_context": "in-context learning score",
}
"""Plain words for the stems of the embedded suite; other metrics are named by their stem."""

SET_NAMES = {
    name.lower(): name
    for name in (
        "bAbI BLiMP CLAMS COMPS COPA HellaSwag LAMBADA MultiBLiMP OpenBookQA ParaRel PIQA "
        "SocialIQA TurBLiMP WikiData Winograd Winogrande XCOPA"
    ).split()
} | {"arc_easy": "ARC easy", "arc_challenge": "ARC challenge", "story_cloze": "StoryCloze"}
"""Item sets as their authors spell them."""

SHARP = (Verdict.TRANSITION_CANDIDATE, Verdict.STEP_LIKE, Verdict.KINK)
"""Verdicts of curves that hold a change which a smooth trend cannot explain."""


def level_name(level: str) -> str:
    """Return a level's name with a capital; unknown levels keep theirs."""
    return LEVEL_NAMES[Level(level)] if level in set(Level) else level.replace("_", " ")


def level_rank(level: str) -> int:
    """Return the place of a level in the customary order, unknown ones last."""
    order = list(Level)
    return order.index(Level(level)) if level in order else len(order)


def stem_of(metric: str) -> str:
    """Return a metric without its measure: ``agreement.simple.margin`` → ``agreement.simple``."""
    return metric.rpartition(".")[0] or metric


def metric_name(metric: str) -> str:
    """Return plain words for what a metric asks, without its measure.

    >>> metric_name("agreement.attractor.accuracy")
    'agreement across an attractor'
    """
    stem = stem_of(metric).removesuffix(".all")
    if place := re.fullmatch(r"loss\.at(\d+)_(\d+)", stem):
        if place[1] == place[2]:
            return f"loss at position {place[1]}"
        return f"loss at positions {place[1]}–{place[2]}"
    if place := re.fullmatch(r"(state\.\w+)_d(\d+)_(\d+|up)", stem):
        words = f"{place[2]}–{place[3]} words" if place[3] != "up" else f"{place[2]} words or more"
        return f"{metric_name(place[1] + '.')}, {words} later"
    if place := re.fullmatch(r"routers\.L(\d+)", stem):
        return f"router of layer {place[1]}"
    parts = [SET_NAMES.get(part, part.replace("_", " ")) for part in stem.split(".")]
    return METRIC_NAMES.get(stem, " · ".join(parts).replace("ngram", "n-gram"))


def capital(sentence: str) -> str:
    """Return the text with its first letter in upper case, unless its first word has its own."""
    if not sentence.split(" ")[0].islower():
        return sentence
    return sentence[:1].upper() + sentence[1:]


def number(value: float, digits: int = 2) -> str:
    """Write a value of a metric; fractions keep their leading zero off: ``.62``."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return si(value)
    shown = f"{abs(value):.{digits}f}"
    if digits == 0:
        return shown
    return ("−" if value < 0 and float(shown) else "") + shown.removeprefix("0")


def plus_minus(half: float) -> str:
    """Write what stands behind ±; a half-width that two digits cannot show is no certainty.

    >>> plus_minus(0.037), plus_minus(0.001), plus_minus(0.0)
    ('.04', '<.01', '.00')
    """
    return "<.01" if 0.0 < half < 0.005 else number(half)


def change(value: float, unit: str) -> str:
    """Write a signed amplitude with its unit: ``+.45``, ``−1.20 nats``."""
    if not math.isfinite(value):
        return "–"
    sign = "−" if value < 0 else "+"
    return f"{sign}{number(abs(value))}" + (f" {unit}" if unit and unit != "fraction" else "")


def span(lo: float, hi: float) -> str:
    """Write an interval in tokens: ``0.58–0.70M`` (the prefix once where both share it)."""
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return "–"
    left, right = tokens(lo), tokens(hi)
    if left == right:
        return left
    if left[-1] == right[-1] and right[-1].isalpha():
        left = left[:-1]
    return f"{left}–{right}"


def decades(value: float) -> str:
    """Write a width in decades."""
    return "–" if not math.isfinite(value) else f"{number(value)}"


def probability(value: float | None) -> str:
    """Write a p- or q-value with one or two significant digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if value <= 1e-5:
        return "≤ 1e-5"
    shown = f"{value:.1g}" if value < 1e-3 else f"{value:.2g}"
    return shown.replace("e-0", "e-")


def measure_name(metric: str) -> str:
    """Return the measure of a metric in words."""
    measure = measure_of(metric)
    return {"kl": "KL", "nll": "loss", "gap_nll": "loss gap"}.get(
        measure, measure.replace("_", " ")
    )


def plain_name(metric: str) -> str:
    """Return plain words for a metric; its measure follows unless it is the accuracy."""
    measure, plain = measure_name(metric), metric_name(metric)
    return plain if measure == "accuracy" else f"{plain} ({measure})"
