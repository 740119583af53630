"""A study of savings as one page: the claim first, every seed, every failure; no JavaScript."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.core import DISCARDED
from nucleate.core.units import seconds, si, tokens
from nucleate.views.document import content_policy, environment, sources, write_document
from nucleate.views.facts import created
from nucleate.views.labels import capital, level_rank, number, probability
from nucleate.views.savings import words
from nucleate.views.savings.charts import floor_lane, frontier, intervals, pairs

_BESIDE = ("composite", "loss")


def write_page(result: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page and return its path.

    Args:
        result: What `study.json` holds, schema ``nucleate.savings/1``.
        path: The file to write; folders above it are created.

    Raises:
        RunFolderError: The file cannot be written.
    """
    return write_document(render_page(result), path)


def render_page(result: Mapping[str, Any]) -> str:
    """Return the page; the same result gives the same bytes."""
    made = environment()
    style = sources(made, "report.css", "savings.css")
    return made.get_template("savings.html.j2").render(
        result=result,
        words=words,
        sentences=_sentences(result),
        figures=_figures(result),
        workloads={
            name: _workload(result, workload) for name, workload in result["workloads"].items()
        },
        command=shlex.join(result["command"]) or "nucleate study FILE.yaml",
        created=created,
        si=si,
        tokens=tokens,
        seconds=seconds,
        number=number,
        probability=probability,
        style=style,
        policy=content_policy(style),
    )


def _sentences(result: Mapping[str, Any]) -> list[str]:
    """Return what stands under the headline."""
    found = []
    head, text = words.headline(result), words.said(result)
    if words.early(result) and words.behind(result):
        found.append(f"{capital(words.behind(result))}.")
    if text and text not in head:
        found.append(f"{result['treated']} against {result['baseline']}: {text}.")
    elif words.frozen(result) and text:
        found.append("The controller beats its yoked control on every workload that has one.")
    found.append(words.thirty(result))
    if words.frozen(result):
        found.append(words.look(result))
    return found


def _figures(result: Mapping[str, Any]) -> list[list[tuple[str, str]]]:
    """Return the key figures of each workload: savings against the baseline and every control."""
    groups = []
    for name, workload in result["workloads"].items():
        own = workload["arms"].get(result["treated"], {})
        found = []
        if "saving" in own:
            found.append((f"{name}: saved against {result['baseline']}", own))
        found += [
            (f"{name}: saved against {control}", workload["contrasts"][control])
            for control in ("B2", *words.yoked(workload))
            if "saving" in workload["contrasts"].get(control, {})
        ]
        groups.append(
            [
                (
                    f"{what}, {words.label(one['saving'])}",
                    words.bound(one) + words.percent(one["saving"]["value"]),
                )
                for what, one in found
            ]
        )
    return [group for group in groups if group]


def _workload(result: Mapping[str, Any], workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the template says of one workload."""
    baseline, treated = result["baseline"], result["treated"]
    arms = [(n, f) for n, f in workload["arms"].items() if "saving" in f]
    arms.sort(key=lambda pair: (pair[0] != treated, workload["about"][pair[0]]["ablation"]))
    against = [(n, words.colour(n, baseline, treated), f) for n, f in workload["contrasts"].items()]
    return {
        "data": workload,
        "arms": [(n, words.colour(n, baseline, treated), f) for n, f in arms],
        "against": against,
        "intervals": intervals([(n, words.colour(n, baseline, treated), f) for n, f in arms]),
        "contrasts": intervals([row for row in against if "saving" in row[2]]),
        "frontier": frontier(workload, baseline, treated),
        "pairs": pairs(workload, result["seeds"], baseline, treated),
        "legend": [
            (n, words.colour(n, baseline, treated), workload["about"][n]["about"])
            for n in workload["about"]
        ],
        "floors": [
            (floor, floor_lane(floor))
            for floor in sorted(
                workload["floors"],
                key=lambda floor: (floor["name"] in _BESIDE, level_rank(floor["name"])),
            )
        ],
        "others": [(what, "a1", one) for what, one in workload.get("others", {}).items()],
        "seeds": _seeds(result, workload),
        "ledger": _ledger(workload),
        "probes": words.probe_share(workload, treated),
    }


def _seeds(result: Mapping[str, Any], workload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the treated run of each seed: its cost, quality, and what the baseline needs."""
    found = workload["arms"].get(result["treated"], {})
    keys = ("costs", "qualities", "log_ratios", "places")
    rows = []
    for seed, cost, quality, ratio, place in zip(
        result["seeds"], *(found.get(key, ()) for key in keys), strict=False
    ):
        log, spent = words.number_of(ratio), words.number_of(cost)
        rows.append(
            {
                "seed": seed,
                "cost": spent,
                "quality": words.number_of(quality),
                "needed": spent / math.exp(log) if math.isfinite(log) else math.nan,
                "saving": -math.expm1(log) if math.isfinite(log) else -math.inf,
                "place": place,
            }
        )
    return rows


def _ledger(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean FLOPs of each arm by part; of the baseline, that of its finals."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in workload["runs"]:
        at_final = run["tokens"] == workload["final_tokens"]
        if run["parts"] and (run["arm"] in workload["arms"] or at_final):
            groups.setdefault(run["arm"], []).append(run)
    means = {
        arm: {
            part: sum(words.number_of(run["parts"].get(part, 0.0)) for run in runs) / len(runs)
            for part in dict.fromkeys(part for run in runs for part in run["parts"])
        }
        for arm, runs in groups.items()
    }
    order = dict.fromkeys(part for parts in means.values() for part in parts)
    return {
        "parts": [part for part in order if part != DISCARDED],
        "repeated": {arm: parts[DISCARDED] for arm, parts in means.items() if DISCARDED in parts},
        "means": means,
        "totals": {
            arm: sum(flops for part, flops in parts.items() if part != DISCARDED)
            for arm, parts in means.items()
        },
        "six_nd": {arm: _mean(runs, "six_nd") for arm, runs in groups.items()},
        "tokens": {arm: _mean(runs, "tokens") for arm, runs in groups.items()},
        "seconds": {
            arm: sum(sum(run["seconds"].values()) for run in runs) / len(runs)
            for arm, runs in groups.items()
        },
    }


def _mean(runs: list[Mapping[str, Any]], key: str) -> float:
    found = [words.number_of(run[key]) for run in runs]
    found = [value for value in found if math.isfinite(value)]
    return sum(found) / len(found) if found else math.nan
