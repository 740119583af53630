"""Hold a run's heads out of training from before an ability came, beside heads without a role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.core import UserError
from nucleate.detect.runs.ordering import ordering
from nucleate.detect.runs.ordertable import holm
from nucleate.store import Run
from nucleate.studies.causal.arms import (
    arm_recipe,
    recipe_of,
    refuse_two_recipes,
    same_until,
    trained,
)
from nucleate.studies.causal.heads import ENTITY, Chosen, choose
from nucleate.studies.causal.onset import off_chance, read_timing, told
from nucleate.studies.causal.without import curve_without
from nucleate.studies.savings.analysis import plain
from nucleate.studies.savings.jobs import read_json, write_json

METRIC = "state.holder.accuracy"
BEFORE = 0.5
"""Where heads are first held out, as a share of the tokens at which the metric left chance."""
ARMS = ("candidate", "control")
WAYS = ("all heads", "held out")
"""How an arm is asked: with all its heads, or with some held out as in training."""
EVENTS = ("off_chance", "halfway")


def causal(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    roles: Sequence[str] = ENTITY,
    metric: str = METRIC,
    start: int | None = None,
    stop: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train every run twice more, without its candidate heads and without as many others.

    Args:
        runs: Finished runs of one recipe that looked at their heads; each is its own untouched arm.
        out: Folder of the arms; what has been trained there is not trained again.
        roles: Roles of the candidate heads.
        metric: The ability, an accuracy.
        start: Tokens at which heads are first held out; half of those at which the metric left
            chance in the untouched run, when left out.
        stop: Tokens at which they take part again; never, when left out.
        say: Told what is going on.

    Returns:
        JSON types: for each seed and arm when the metric came, asked with all heads and with some
        held out, and for both the delays over seeds with their intervals.

    Raises:
        UserError: A run cannot be used, two are of one seed or of two recipes, or none has a
            candidate.
    """
    out, seeds = Path(out), []
    opened = [Run.open(path) for path in runs]
    _refuse_one_seed_twice(opened)
    refuse_two_recipes(opened)
    for run in opened:
        path, chosen = run.path, choose(run, roles)
        if chosen is None:
            say(f"{path}: no head had the role {' or '.join(roles)}; left out")
            continue
        seeds.append(_seed(run, chosen, out, metric, start, stop, say))
    if not seeds:
        raise UserError("no run has a head to hold out", where="causal", got=", ".join(roles))
    delays = [
        _delay(seeds, way, event, first, second)
        for way in WAYS
        for event in EVENTS
        for first, second in PAIRS
    ]
    for delay, p in zip(delays, holm([delay["p"] for delay in delays]), strict=True):
        delay["p_holm"] = p
    result = {
        "metric": metric,
        "roles": list(roles),
        "stop": stop,
        "seeds": seeds,
        "left_out": len(runs) - len(seeds),
        "delays": delays,
    }
    write_json(out / "causal.json", plain(result))
    found: dict[str, Any] = plain(result)
    return found


def _refuse_one_seed_twice(runs: Sequence[Run]) -> None:
    """Refuse runs of one seed: they would count as independent evidence, in the same folders."""
    known: dict[Any, Path] = {}
    for run in runs:
        seed = run.manifest.recipe.get("seed")
        if seed is not None and seed in known:
            raise UserError(
                f"has the seed of {known[seed].name}",
                where=run.path,
                got=seed,
                expected="one run for each seed",
                fix="leave one out",
            )
        known[seed] = run.path


PAIRS = (("untouched", "candidate"), ("untouched", "control"), ("control", "candidate"))


def _seed(
    run: Run,
    chosen: Chosen,
    out: Path,
    metric: str,
    start: int | None,
    stop: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    recipe, curves = recipe_of(run), run.curves()
    if metric not in curves:
        raise UserError(
            "was not measured", where=run.path, got=metric, fix="nucleate show RUN names what was"
        )
    begins = start if start is not None else _before(run, metric)
    if stop is not None and stop <= begins:
        raise UserError("ends before it begins", where="--until", got=stop, expected=f"> {begins}")
    found: dict[str, Any] = {
        "run": str(run.path),
        "seed": recipe.seed,
        "start": begins,
        "matched": chosen.matched,
        "idle": chosen.idle,
        "taken": chosen.taken,
        "arms": {"untouched": {"heads": [], "all heads": told(curves[metric])}},
    }
    for arm in ARMS:
        heads = getattr(chosen, arm)
        own = arm_recipe(recipe, heads, begins, stop)
        folder = out / f"seed{recipe.seed}-{arm}"
        say(f"seed {recipe.seed}: {', '.join(heads)} ({arm}) held out from {begins:,} tokens on")
        trained_arm = trained(own, folder)
        if not same_until(run, trained_arm, begins):
            raise UserError(
                "is not the untouched run up to there",
                where=folder,
                expected="equal losses",
                fix="use runs of this machine, with the same number of threads",
            )
        found["arms"][arm] = {"heads": list(heads), **_asked(trained_arm, own, heads, metric)}
    return found


def _before(run: Run, metric: str) -> int:
    came = off_chance(run.curves()[metric])
    if not came.at > 0:
        raise UserError(
            f"{metric} is not seen to leave chance here",
            where=run.path,
            fix="leave the run out, or say --from TOKENS",
        )
    return int(BEFORE * came.at)


def _asked(arm: Run, recipe: Any, heads: Sequence[str], metric: str) -> dict[str, Any]:
    """Return when the metric came in an arm, asked either way; the second is kept beside it."""
    kept = arm.path / "held_out.json"
    without = read_json(kept)
    if without is None or without["metric"] != metric:
        without = {"metric": metric, **told(curve_without(arm, recipe, heads, metric))}
        write_json(kept, without)
    history = arm.heads()
    return {
        "all heads": told(arm.curves()[metric]),
        "held out": without,
        "roles": {role: list(history.tables[-1].holders(role)) for role in history.roles},
    }


def _delay(
    seeds: Sequence[Mapping[str, Any]], way: str, event: str, first: str, second: str
) -> dict[str, Any]:
    """Return by how much an event came later in one arm than in another, over seeds, in decades."""
    pairs = [
        [read_timing(_of(seed["arms"][arm], way)[event]) for arm in (first, second)]
        for seed in seeds
    ]
    found = ordering([a for a, _ in pairs], [b for _, b in pairs], names=(first, second))
    return {
        "asked": way,
        "event": event,
        "from": first,
        "to": second,
        "decades": list(found.differences),
        "median": found.median,
        "lo": found.lo,
        "hi": found.hi,
        "later": found.before,
        "earlier": found.after,
        "undecided": found.undecided,
        "p": found.p_before,
        "verdict": found.verdict,
    }


def _of(arm: Mapping[str, Any], way: str) -> Any:
    return arm.get(way, arm["all heads"])
