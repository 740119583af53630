"""The decisions of a run with the evidence that caused them, for terminal and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.core import Decision, Step
from nucleate.core.units import si, tokens
from nucleate.views.detect.lines import INDENT, say
from nucleate.views.reasons import sentences

if TYPE_CHECKING:
    from rich.console import Console


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


def _word(value: Any) -> str:
    return si(value, 4) if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Told:
    """A decision for the report: where, which rule, what was pulled, and why."""

    step: Step
    rule: str
    pulled: tuple[str, ...]
    why: tuple[str, ...]


def told(decisions: Sequence[Decision]) -> list[Told]:
    """Return decisions in plain words, in their order."""
    return [
        Told(
            each.step,
            each.rule,
            tuple(pulled({lever: to}) for lever, to in each.pulls.items()),
            tuple(sentences(each.evidence)),
        )
        for each in decisions
    ]
