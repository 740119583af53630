"""What a study of savings says, in words that claim no more than its numbers and protocol allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.views.labels import level_name

CLAIM = 0.30
"""A saving of "at least 30 %" is only said where every workload's intervals end above it."""
PROBES = 0.02
"""Share of its training FLOPs that a run may spend on probes."""
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
    if early(result):
        return nothing_yet(result)
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
    if early(result):
        head += f"; {behind(result)}" if behind(result) else ""
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


def early(result: Mapping[str, Any]) -> bool:
    """Return whether planned seeds are still out: such a look may stop a study, and no more."""
    return frozen(result) and len(result["seeds"]) < result["planned"]


def nothing_yet(result: Mapping[str, Any]) -> str:
    """Return what stands in the place of a claim before the last planned look."""
    number, planned = len(result["seeds"]), result["planned"]
    return f"{number} of {planned} planned seeds: nothing is claimed at this look"


def behind(result: Mapping[str, Any]) -> str:
    """Say, before the last look, where the controller has not beaten its yoked control so far."""
    lost = _lost(result)
    where = f" on {listed(lost)}" if lost else ""
    return f"so far the controller does not beat its yoked control{where}" if lost else ""


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


def lower(found: Mapping[str, Any] | None) -> float:
    """Return the smaller lower end of both intervals; NaN where one is missing."""
    if not found or "saving" not in found:
        return math.nan
    ends = [number_of(found[which]["lo"]) for which in ("saving", "student")]
    return math.nan if any(map(math.isnan, ends)) else min(ends)


def beats(found: Mapping[str, Any] | None) -> bool:
    """Return whether both intervals of a contrast lie above zero as a whole."""
    return lower(found) > 0


def thirty(result: Mapping[str, Any]) -> str:
    """Say whether "at least 30 %" may be said, and if not, why."""
    if not frozen(result):
        return "Nothing sealed has been scored, so nothing is claimed."
    if early(result):
        return f"{nothing_yet(result)}.{_later(result)}"
    reasons = [
        reason
        for name, workload in result["workloads"].items()
        for reason in _reasons(name, workload, result["treated"])
    ]
    if reasons:
        return f"“At least 30 %” is not claimed: {'; '.join(reasons)}.{_later(result)}"
    kept = "Every interval ends above 30 % and every quality floor holds on every workload."
    return kept + _later(result)


def _reasons(name: str, workload: Mapping[str, Any], treated: str) -> list[str]:
    """Return why "at least 30 %" may not be said of a workload."""
    found = workload["arms"].get(treated, {})
    reasons = []
    if "saving" not in found:
        reasons.append(f"{name} has no estimate")
    elif math.isnan(lower(found)):
        reasons.append(f"{name} lacks an interval")
    elif lower(found) < CLAIM:
        reasons.append(f"an interval of {name} reaches below 30 %")
    lost = [quality_name(f["name"]) for f in workload["floors"] if not f["holds"]]
    if lost or not workload["floors"]:
        reasons.append(f"{listed(lost) or 'quality'} of {name} is not shown to be kept")
    if problem := audit_problem(workload["audit"]):
        reasons.append(f"{problem} on {name}")
    if len(workload["architectures"]) > 1:
        number = len(workload["architectures"])
        reasons.append(f"runs of {name} end in {number} different architectures")
    if probe_share(workload, treated) > PROBES:
        spent = percent(probe_share(workload, treated))
        reasons.append(f"probes of {name} took up to {spent} of a run, more than 2 %")
    return reasons


def audit_problem(audit: Mapping[str, Any]) -> str:
    """Return why an audit of the sealed questions proves nothing; empty for a clean one."""
    if not audit:
        return "no audit of the sealed questions was made"
    if audit.get("clean"):
        return ""
    if not (audit.get("asked", 1) and audit["tokens"]):
        return "the audit of the sealed questions had nothing to look for"
    return "sealed questions were found in training data"


def probe_share(workload: Mapping[str, Any], treated: str) -> float:
    """Return the largest share of its training FLOPs that a treated run spent on probes."""
    shares = [number_of(r["probe_share"]) for r in workload["runs"] if r["arm"] == treated]
    return max((share for share in shares if math.isfinite(share)), default=math.nan)


def _later(result: Mapping[str, Any]) -> str:
    """Say where later code worked out the figures: allowed, for runs and scores are older."""
    if result["frozen"]["same_code"]:
        return ""
    return " Figures worked out by later code; runs and scores are by the frozen one."


def seen(result: Mapping[str, Any]) -> str:
    """Say which seeds and probes were looked at, and what was frozen when."""
    number, planned = len(result["seeds"]), result["planned"]
    seeds = f"{number} of {planned} planned seeds, {result['split']} probes"
    if result["frozen"] is None:
        return f"{seeds}, not frozen"
    same = "" if result["frozen"]["same_code"] else "; figures worked out by later code"
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
