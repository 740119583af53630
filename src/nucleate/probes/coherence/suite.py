"""The coherence suite: every level that can be asked of any language model, in one suite."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nucleate.core import DataError, Level
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.sets.rows import hub_is_reachable
from nucleate.probes.coherence.request import Parts, SuiteRequest, join
from nucleate.probes.suites import Suite

LEVELS: dict[str, Level] = {
    "syntax": Level.SYNTAX,
    "semantics": Level.SEMANTICS,
    "narrative": Level.NARRATIVE,
    "knowledge": Level.KNOWLEDGE,
    "long_context": Level.LONG_CONTEXT,
    "truth": Level.TRUTH,
    "robustness": Level.ROBUSTNESS,
    "multilingual": Level.SEMANTICS,
}
"""Modules of the suite in the order of their parts, and the level that each is asked for."""

FEWEST_ITEMS = 8
SHORTEST_CONTEXT = 32


def coherence_suite(
    tokenizer: Any,
    *,
    data: str | Path | None = None,
    items: int = 200,
    context: int = 512,
    levels: Sequence[Level] | None = None,
    seed: int = 0,
    hub: bool | None = None,
    sample: Sequence[str] = (),
) -> Suite:
    """Build the suite for one tokenizer; what cannot be asked is said in its notes.

    Args:
        tokenizer: The `transformers` tokenizer that the models to be measured share.
        data: Folder of evaluation data; where None, the one that `find_data_folder` finds.
        items: Most items of one set: the dial of the cost.
        context: Longest sequence, in tokens; no more than the models can read.
        levels: Only these (all when None).
        seed: Seed of every choice of items.
        hub: Whether sets that the folder lacks are downloaded; None says only where there is no
            folder and the hub answers.
        sample: Documents of the training corpus, or like them, to count names and n-grams in.

    Raises:
        DataError: The arguments are out of range, the folder does not exist, a file of it has
            another shape, or nothing can be asked.
    """
    if items < FEWEST_ITEMS or context < SHORTEST_CONTEXT:
        raise DataError(
            "suite is too small",
            where="coherence_suite",
            got=f"items {items}, context {context}",
            expected=f"items ≥ {FEWEST_ITEMS}, context ≥ {SHORTEST_CONTEXT}",
        )
    folder = find_data_folder() if data is None else Path(data)
    if folder is not None and not folder.is_dir():
        raise DataError("no such folder", where=folder, fix="check the path of the data folder")
    ask_hub = folder is None and hub_is_reachable() if hub is None else hub
    request = SuiteRequest(tokenizer, folder, items, context, seed, ask_hub, tuple(sample))
    wanted = [name for name, level in LEVELS.items() if levels is None or level in levels]
    joined = join(_ask(name, request) for name in wanted)
    if not joined.parts:
        raise DataError(
            "nothing can be asked",
            where="coherence_suite",
            got=f"{folder or 'no data folder'}, levels {', '.join(wanted) or 'none'}",
            fix="name a folder of evaluation data ($NUCLEATE_DATA)",
        )
    return Suite("coherence", joined.parts, joined.primary, joined.notes)


def _ask(name: str, request: SuiteRequest) -> Parts:
    module = f"{__package__}.{name}"
    if find_spec(module) is None:
        return Parts(notes=(f"{name} is not measured",))
    answer: Parts = import_module(module).parts(request)
    return answer
