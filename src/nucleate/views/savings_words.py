"""What a savings study says, in words that claim no more than its numbers and protocol allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nucleate.views.labels import level_name

CLAIM = 0.30
"""A saving of "at least 30 %" is only said where every workload's interval ends above it."""


def number_of(value: Any) -> float:
    """Return a number of `study.json`: null is NaN, infinities are words."""
    return math.nan if value is None else float(value)


def percent(value: Any, digits: int = 1) -> str:
    """Write a share as a percentage with a sign for losses: ``−12.0 %``."""
    share = number_of(value)
    if math.isnan(share):
        return "–"
    if math.isinf(share):
        return "−∞" if share < 0 else "∞"
    shown = f"{abs(100 * share):.{digits}f}"
    return ("−" if share < 0 and float(shown) else "") + f"{shown} %"


def label(interval: Mapping[str, Any]) -> str:
    """Write an interval of a saving: ``28.1 to 41.5 %``."""
    lo, hi = percent(interval["lo"]), percent(interval["hi"])
    return "no interval" if "–" in (lo, hi) else f"{lo.removesuffix(' %')} to {hi}"


def quality_name(quality: str) -> str:
    """Return what is held equal, for people."""
    names = {"composite": "coherence (mean of all levels)", "loss": "held-out loss"}
    return names.get(quality, level_name(quality).lower())


def first_line(result: Mapping[str, Any]) -> str:
    """Return the sentence that a report must begin with."""
    treated, baseline = result["treated"], result["baseline"]
    prefix = "" if result["frozen"] else "Preview on development probes, no result: "
    if not result["frozen"]:
        return prefix + "; ".join(_short(name, w, result) for name, w in _savings(result))
    yoked = [(n, w["contrasts"].get(y)) for n, w in result["workloads"].items() for y in _yoked(w)]
    lost = [name for name, found in yoked if found is None or not beats(found)]
    if lost:
        where = "" if len(lost) == len(result["workloads"]) else f" on {', '.join(lost)}"
        begin = f"The controller does not beat its yoked control{where}."
    elif yoked:
        begin = "The controller beats its yoked control."
    else:
        begin = "No yoked control was run: nothing here says that watching matters."
    said = "; ".join(_short(name, w, result) for name, w in _savings(result))
    return f"{begin} {treated} against {baseline}: {said or 'nothing could be estimated'}."


def _yoked(workload: Mapping[str, Any]) -> list[str]:
    return [name for name, arm in workload["about"].items() if arm["timing"] == "yoked"]


def _savings(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    treated = result["treated"]
    return [
        (n, w) for n, w in result["workloads"].items() if "saving" in w["arms"].get(treated, {})
    ]


def _short(name: str, workload: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    found = workload["arms"][result["treated"]]
    return f"{name} {percent(found['saving']['value'])} ({label(found['saving'])})"


def beats(found: Mapping[str, Any]) -> bool:
    """Return whether a contrast's whole interval lies above zero."""
    lo = number_of(found["saving"]["lo"])
    return math.isfinite(lo) and lo > 0


def thirty(result: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether "at least 30 %" may be said, and why or why not."""
    if not result["frozen"] or str(result["split"]) != "sealed":
        return False, "nothing sealed has been scored"
    reasons = []
    for name, workload in result["workloads"].items():
        found = workload["arms"].get(result["treated"], {})
        if number_of(found.get("saving", {}).get("lo")) < CLAIM or "saving" not in found:
            reasons.append(f"the interval of {name} reaches below 30 %")
        reasons += [
            f"{name}: {floor['name']} is not shown to be kept"
            for floor in workload["floors"]
            if not floor["holds"]
        ]
    return not reasons, "; ".join(reasons)


def seen(result: Mapping[str, Any]) -> str:
    """Say which seeds and probes were looked at, and what was frozen when."""
    seeds = f"{len(result['seeds'])} of {result['planned']} planned seeds, {result['split']} probes"
    frozen = result["frozen"]
    if frozen is None:
        return f"{seeds}, not frozen"
    same = "" if frozen["same_code"] else "; the code has changed since"
    return f"{seeds}; frozen {frozen['at']} as {frozen['hash'][:16]}{same}"
