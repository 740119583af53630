"""Robustness: corrupted stories again, with nonce names, typing errors and other words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nucleate.core import Level
from nucleate.corpora.items import ContextPair
from nucleate.corpora.narrative.corruptions import corrupt
from nucleate.corpora.narrative.perturb import renamed, with_synonyms, with_typos
from nucleate.corpora.narrative.templates import BOYS, GIRLS, template_pairs
from nucleate.probes.behaviour.retention import PLAIN, RetentionItems
from nucleate.probes.coherence.fitting import Fitting
from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.stories import material
from nucleate.probes.registry import get_probe

KINDS = ("entity_swap", "cause_deletion", "pronoun_flip")
"""Pairs of stories that are asked again, beside those from templates. The other kinds are near
chance for models of a million weights, and what is not there cannot be retained."""

TYPOS = (0.05, 0.1, 0.2)
"""Shares of words with a typing error."""

LONGEST = 192
"""Most tokens of one plain text: every pair is asked once for each perturbation."""

_LONGER = 1.6
"""By how much a perturbed text may be longer, in tokens: odd words are spelled in pieces."""


def parts(request: SuiteRequest) -> Parts:
    """Return plain and perturbed pairs; the primary metric is the worst of all versions."""
    stories = material(request)
    notes = list(stories.notes)
    each = max(8, request.items // 5)
    longest = int(min(LONGEST, (request.context - 2) / _LONGER))
    seed = request.seed + 1
    made = corrupt(stories.prose, each=each, longest=longest, seed=seed, length=stories.tokens)
    chosen = [pair for pair in made.contexts if pair.condition in KINDS]
    pairs = [*chosen, *template_pairs(max(8, each // 2), seed=seed)]
    versions = _fitting(_versions(pairs), request)
    if len(versions[PLAIN]) < 16:
        return Parts(notes=(*notes, "robustness is not measured: too few pairs can be written"))
    items = RetentionItems(
        versions,
        request.tokenizer,
        context=request.context,
        strengths={_typo(rate): rate for rate in TYPOS},
    )
    notes.append("retention is NaN where the plain accuracy is within 3 SE of chance")
    part = (get_probe("robustness"), items)
    return Parts((part,), {Level.ROBUSTNESS: "robustness.worst"}, tuple(notes))


def _typo(rate: float) -> str:
    return f"typos{round(100 * rate)}"


def _versions(pairs: list[ContextPair]) -> dict[str, list[ContextPair]]:
    """Return every version of the pairs; only names change the region, in both of its places."""
    versions = {PLAIN: pairs, "nonce": [renamed(pair, GIRLS + BOYS) for pair in pairs]}
    versions["synonyms"] = [_with(pair, with_synonyms) for pair in pairs]
    for rate in TYPOS:

        def typed(text: str, rate: float = rate) -> str:
            return with_typos(text, rate)

        versions[_typo(rate)] = [_with(pair, typed) for pair in pairs]
    return versions


def _with(pair: ContextPair, change: Callable[[str], str]) -> ContextPair:
    return replace(pair, coherent=change(pair.coherent), corrupted=change(pair.corrupted))


def _fitting(
    versions: dict[str, list[ContextPair]], request: SuiteRequest
) -> dict[str, list[ContextPair]]:
    """Keep the pairs of which every version can be written in the window."""
    fitting = Fitting(request.tokenizer, request.context)
    fits = [fitting.items(pairs) for pairs in versions.values()]
    good = [all(flags) for flags in zip(*fits, strict=True)]
    return {
        name: [pair for pair, keep in zip(pairs, good, strict=True) if keep]
        for name, pairs in versions.items()
    }
