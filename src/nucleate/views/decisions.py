"""The decisions of a run, each with the evidence that caused it, printed in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.core.units import si, tokens
from nucleate.views.detect.lines import INDENT, say

if TYPE_CHECKING:
    from rich.console import Console

COUNTS = ("read_at", "since", "deadline", "tokens")
"""Evidence that counts tokens."""


def print_replay(result: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what was decided in a run, and whether its record leads there again.

    Args:
        result: What `nucleate replay --json` prints.
        console: Where to print; standard output by default.
    """
    from rich.console import Console

    out = console or Console(highlight=False)
    entries = result["decisions"]
    for entry in entries:
        _print_entry(out, entry)
    if silent := result["silent"]:
        say(out, ("never fired: ", "dim"), ", ".join(silent))
    same = sum(entry["same"] for entry in entries)
    if not entries:
        say(out, "nothing was decided, and nothing follows from the record")
    else:
        say(out, f"{same} of {len(entries)} decisions follow from the record as they were made")


def _print_entry(out: Console, entry: Mapping[str, Any]) -> None:
    recorded, derived = entry["recorded"], entry["derived"]
    shown = recorded or derived
    verdict = ("same", "green") if entry["same"] else ("differs", "bold red")
    say(out, (shown["rule"], "bold"), "  ", place(shown), "  ", verdict)
    say(out, pulled(shown["pulls"]), indent=INDENT)
    for line in sentences(shown["evidence"]):
        say(out, (line, "dim"), indent=INDENT)
    if entry["same"]:
        return
    if recorded is None:
        say(out, "follows from the record, and was not decided", indent=INDENT)
    elif derived is None:
        say(out, "does not follow from the record", indent=INDENT)
    else:
        say(out, f"from the record: {place(derived)}, {pulled(derived['pulls'])}", indent=INDENT)
        for line in sentences(derived["evidence"]):
            say(out, (line, "dim"), indent=2 * INDENT)


def place(decision: Mapping[str, Any]) -> str:
    """Return where something was decided: ``at 412k tokens, step 201``."""
    return f"at {tokens(decision['tokens'])} tokens, step {decision['step']}"


def pulled(pulls: Mapping[str, Any]) -> str:
    """Return which levers were pulled where: ``warmup → 0, mixture → 0.5``."""
    return ", ".join(f"{lever} → {_word(to)}" for lever, to in pulls.items())


def sentences(evidence: Mapping[str, Any]) -> list[str]:
    """Return evidence in lines, one for each single condition.

    >>> sentences({"all": [{"tokens": 2000}, {"condition": "above", "metric": "m", "se": 0.09}]})
    ['tokens 2k', 'above: m, se 0.09']
    """
    parts: Sequence[Mapping[str, Any]] | None = evidence.get("all")
    if "any" in evidence:
        parts = [evidence["any"]]
    if parts is not None:
        return [line for part in parts for line in sentences(part)]
    words = [
        str(each) if key == "metric" else f"{key} {_value(key, each)}"
        for key, each in evidence.items()
        if key != "condition"
    ]
    condition = f"{evidence['condition']}: " if "condition" in evidence else ""
    return [condition + ", ".join(words)]


def _value(key: str, value: Any) -> str:
    return tokens(value) if key in COUNTS and not isinstance(value, bool) else _word(value)


def _word(value: Any) -> str:
    return si(value, 4) if isinstance(value, float) else str(value)
