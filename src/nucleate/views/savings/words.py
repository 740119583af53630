"""What a study of savings says, in words that claim no more than its numbers and protocol allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.views.labels import level_name

CLAIM = 0.30
"""A saving of "at least 30 %" is only said where every workload's interval ends above it."""
_NAMES = {"composite": "coherence", "loss": "held-out loss"}
_KNOWN = {"B0": "a2", "B2": "a3", "B3": "a4", "sham": "a5"}


def number_of(value: Any) -> float:
    """Return a number of `study.json`: null is NaN, infinities are words."""
    return math.nan if value is None else float(value)


def percent(value: Any, digits: int = 1) -> str:
    """Write a share as a percentage: ``−12.0 %``.

    >>> percent(-0.12)
    '−12.0 %'
    """
    share = number_of(value)
    if math.isnan(share):
        return "–"
    if math.isinf(share):
        return "−∞" if share < 0 else "∞"
    shown = f"{abs(100 * share):.{digits}f}"
    return ("−" if share < 0 and float(shown) else "") + f"{shown} %"


def label(interval: Mapping[str, Any]) -> str:
    """Write an interval of a saving: ``28.1 to 41.5 %``, or ``at most 41.5 %`` without an end."""
    lo, hi = percent(interval["lo"]), percent(interval["hi"])
    if "–" in (lo, hi):
        return "no interval"
    if number_of(interval["lo"]) == -math.inf:
        return "no interval" if number_of(interval["hi"]) == -math.inf else f"at most {hi}"
    return f"{lo.removesuffix(' %')} to {hi}"


def note(found: Mapping[str, Any]) -> str:
    """Return what must be known of an estimate beside its numbers: ``no lower end: 2 of 5 …``."""
    return str(found["how"]).partition("; ")[2]


def bound(found: Mapping[str, Any]) -> str:
    """Return ``at most`` before a value that stands without a lower end, else nothing."""
    return "at most " if "no lower end" in note(found) else ""


def quality_name(quality: str) -> str:
    """Return what is held equal, for people."""
    return _NAMES.get(quality, level_name(quality).lower())


def colour(arm: str, baseline: str, treated: str) -> str:
    """Return the colour class of an arm: the same on every chart."""
    if arm == baseline:
        return "a0"
    return "a1" if arm == treated else _KNOWN.get(arm, "a6")


def frozen(result: Mapping[str, Any]) -> bool:
    """Return whether the figures are of a frozen study on sealed probes, and not a preview."""
    return bool(result["frozen"]) and str(result["split"]) == "sealed"


def headline(result: Mapping[str, Any]) -> str:
    """Return what a reader must know first."""
    if not frozen(result):
        return "A preview, no result"
    lost = _lost(result)
    if lost:
        everywhere = len(lost) == len(result["workloads"])
        where = "" if everywhere else f" on {listed(lost)}"
        return f"The controller does not beat its yoked control{where}"
    if not any(yoked(workload) for workload in result["workloads"].values()):
        return "No yoked control was run: nothing here says that watching matters"
    return f"{result['treated']} against {result['baseline']}: {said(result)}"


def first_line(result: Mapping[str, Any]) -> str:
    """Return the sentence that a report must begin with: the control first, then the saving."""
    head = headline(result)
    text = said(result)
    if head.endswith(text) and text:
        return f"{head}. The controller beats its yoked control."
    return f"{head}. {result['treated']} against {result['baseline']}: {text or 'nothing'}."


def said(result: Mapping[str, Any]) -> str:
    """Return the saving of each workload with its interval."""
    found = [
        (name, workload["arms"][result["treated"]])
        for name, workload in result["workloads"].items()
        if "saving" in workload["arms"].get(result["treated"], {})
    ]
    return "; ".join(
        f"{amount(one['saving']['value'])} on {name} ({label(one['saving'])})"
        for name, one in found
    )


def amount(value: Any) -> str:
    """Write a saving in words: ``12.0 % more compute`` where there is none."""
    share = number_of(value)
    return f"{percent(abs(share))} {'more' if share < 0 else 'less'} compute"


def _lost(result: Mapping[str, Any]) -> list[str]:
    """Return the workloads on which some yoked control is not beaten."""
    return [
        name
        for name, workload in result["workloads"].items()
        if any(not beats(workload["contrasts"].get(arm)) for arm in yoked(workload))
    ]


def yoked(workload: Mapping[str, Any]) -> list[str]:
    """Return the yoked arms of a workload."""
    return [name for name, arm in workload["about"].items() if arm["timing"] == "yoked"]


def beats(found: Mapping[str, Any] | None) -> bool:
    """Return whether a contrast's whole interval lies above zero."""
    lo = number_of(found["saving"]["lo"]) if found and "saving" in found else math.nan
    return math.isfinite(lo) and lo > 0


def thirty(result: Mapping[str, Any]) -> str:
    """Say whether "at least 30 %" may be said, and if not, why."""
    if not frozen(result):
        return "Nothing sealed has been scored, so nothing is claimed."
    reasons = []
    for name, workload in result["workloads"].items():
        found = workload["arms"].get(result["treated"], {})
        if "saving" not in found:
            reasons.append(f"{name} has no estimate")
        elif not number_of(found["saving"]["lo"]) >= CLAIM:
            reasons.append(f"the interval of {name} reaches below 30 %")
        lost = [quality_name(f["name"]) for f in workload["floors"] if not f["holds"]]
        if lost or not workload["floors"]:
            reasons.append(f"{listed(lost) or 'quality'} of {name} is not shown to be kept")
    if reasons:
        return f"“At least 30 %” is not claimed: {'; '.join(reasons)}."
    return "Every interval ends above 30 % and every quality floor holds on every workload."


def seen(result: Mapping[str, Any]) -> str:
    """Say which seeds and probes were looked at, and what was frozen when."""
    number, planned = len(result["seeds"]), result["planned"]
    seeds = f"{number} of {planned} planned seeds, {result['split']} probes"
    if result["frozen"] is None:
        return f"{seeds}, not frozen"
    same = "" if result["frozen"]["same_code"] else "; the code has changed since"
    return f"{seeds}; frozen {result['frozen']['at']} as {result['frozen']['hash'][:16]}{same}"


def look(result: Mapping[str, Any]) -> str:
    """Say what this look may claim: its boundary, as a nominal two-sided p."""
    number = len(result["seeds"])
    here = next((one for one in result["looks"] if one["number"] == number), None)
    if here is None:
        return "This is none of the planned looks: no p-value of it decides anything."
    text = f"At {number} seeds a p-value decides at or below {here['p']:.2g}"
    least = 2.0 ** (1 - number)
    if least > here["p"]:
        text += f", which an exact sign-flip test cannot reach with {number} seeds"
    return f"{text}."


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return ", ".join(words[:-1]) + (f" and {words[-1]}" if len(words) > 1 else "".join(words))
