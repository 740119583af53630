"""The controller: where rules fire on hand-made readings, resumption, replay, other timings."""

import itertools
import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from nucleate.core import Decision, Level, Reading, RecipeError, Step, UserError
from nucleate.core.settings import validate
from nucleate.core.units import tokens
from nucleate.observe import observer
from nucleate.store import Manifest, Run, RunWriter
from nucleate.train.control import Condition, Controller, Rule, fixed, shamed, yoked
from nucleate.train.control.arms import NEVER
from nucleate.train.control.replay import replay
from nucleate.train.loop import Loop
from nucleate.train.recipe import Recipe
from nucleate.train.session import run
from nucleate.train.workload import build_workload
from nucleate.views.live import Progress
from nucleate.views.progress import ProgressTracker

from .conftest import fingerprint, tiny


def rule(when: dict[str, Any], name: str = "r", **more: Any) -> Rule:
    return Rule.model_validate({"name": name, "when": when, "pull": {"lever": 1}, **more})


def reading(value: float, metric: str = "m", se: float = 0.02) -> Reading:
    return Reading(metric, value, se, 100, 0.25, "fraction", Level.NARRATIVE)


def fired_at(when: dict[str, Any], values: list[float], **more: Any) -> int | None:
    """Return after which reading, counted from 1, a rule fires."""
    controller = Controller([rule(when, **more)])
    for number, value in enumerate(values, start=1):
        if controller.observe(Step(number, 1000 * number), [reading(value)]):
            return number
    return None


FLAT = [0.25, 0.27, 0.24, 0.26, 0.25]


@pytest.mark.parametrize(
    ("when", "values", "place"),
    [
        ({"above": {"metric": "m", "value": 0.5}}, [0.2, 0.5, 0.51], 3),
        ({"above": {"metric": "m", "value": 0.5, "se": 2}}, [0.53, 0.539, 0.55], 3),
        ({"below": {"metric": "m", "value": 0.5}}, [0.6, 0.5, 0.49], 3),
        ({"saturated": {"metric": "m"}}, [0.9, 0.97, 0.97, 0.98], 3),
        # .9625 is asked for: (.94 + 1) / 2 is .97, and .94 does not stand there
        ({"saturated": {"metric": "m"}}, [0.94, 1.0, 0.94, 1.0, 0.97], 5),
        ({"transition": {"metric": "m"}}, [*FLAT, 0.5, 0.6], 6),
        ({"transition": {"metric": "m"}}, [*FLAT, 0.30, 0.31], None),
        ({"transition": {"metric": "m", "direction": "down"}}, [*FLAT, 0.0, 0.0], 6),
        ({"transition": {"metric": "m"}}, FLAT * 10, None),
        # (.25 + .45) / 2 is .1 above chance: 7.1 standard errors of .02 / √2
        ({"transition": {"metric": "m", "from_chance": True}}, [0.25, 0.45, 0.5], 2),
        ({"transition": {"metric": "m", "from_chance": True}}, [0.25, 0.3, 0.3], None),
        ({"transition": {"metric": "m"}}, [0.25, 0.45, 0.5], None),
        # once true it stays true, however the readings go on
        ({"all": [{"tokens": 9000}, {"transition": {"metric": "m"}}]}, [*FLAT, *[0.6] * 5], 9),
        ({"all": [{"tokens": 2000}, {"above": {"metric": "m", "value": 0.2}}]}, [0.3] * 3, 2),
        ({"any": [{"tokens": 9000}, {"above": {"metric": "m", "value": 0.2}}]}, [0.3] * 3, 1),
        ({"none": [{"above": {"metric": "m", "value": 0.5}}]}, [0.6, 0.5, 0.7], 2),
        ({"none": [{"above": {"metric": "m", "value": 0.5}}]}, [0.6, 0.7], None),
        ({"none": [{"tokens": 1}, {"below": {"metric": "m", "value": 0.1}}]}, [0.6, 0.7], None),
        ({"none": [{"below": {"metric": "m", "value": 0.5}}, {"tokens": 2500}]}, [0.4, 0.6], 2),
        ({"all": [{"tokens": 2000}, {"none": [{"transition": {"metric": "m"}}]}]}, FLAT, 2),
        # a transition that has been found stays found
        (
            {"all": [{"tokens": 6000}, {"none": [{"transition": {"metric": "m"}}]}]},
            [*FLAT, 0.5, 0.6, 0.25, 0.25],
            None,
        ),
        ({"none": [{"none": [{"above": {"metric": "m", "value": 0.5}}]}]}, [0.4, 0.6], 2),
    ],
)
def test_where_a_condition_first_holds(when, values, place):
    assert fired_at(when, values) == place


def test_none_holds_before_anything_has_been_read_and_says_what_did_not_hold():
    above = {"above": {"metric": "m", "value": 0.5, "se": 1}}
    when = {"none": [above, {"any": [{"tokens": 9000}, {"saturated": {"metric": "m"}}]}]}
    (unread,) = Controller([rule(when)]).step(Step(0, 0), math.nan)
    limits = {"threshold": 0.5, "standard_errors": 1.0}
    waits = [{"condition": "tokens", "tokens": 9000}, {"condition": "saturated", "metric": "m"}]
    assert unread.evidence == {
        "none": [
            {"condition": "above", "metric": "m", **limits},
            {"condition": "any", "of": waits},
        ]
    }
    controller = Controller([rule({"all": [{"tokens": 2000}, when]})])
    assert controller.observe(Step(1, 1000), [reading(0.3)]) == []
    (read,) = controller.observe(Step(2, 2000), [reading(0.4)])
    seen = {"metric": "m", "read_at": 2000, "value": 0.4, "se": 0.02}
    assert read.evidence["all"][1] == {
        "none": [
            {"condition": "above", **seen, **limits},
            {"condition": "any", "of": [waits[0], {"condition": "saturated", **seen}]},
        ]
    }


def test_a_plateau_is_called_on_a_curve_that_stands_still_and_not_on_one_that_climbs():
    when = {"plateau": {"metric": "m", "decades": 0.2, "tolerance": 0.2}}

    def fires(slope: float) -> bool:
        controller = Controller([rule(when)])
        found = []
        for number in range(80):
            tokens = round(1e5 * 10 ** (number / 40))
            value = 0.25 + slope * number / 40 + 0.005 * math.sin(7 * number)
            found += controller.observe(Step(number, tokens), [reading(value, se=0.005)])
        return bool(found)

    assert fires(0.0)
    assert not fires(0.4)


def test_deadlines_chains_and_tokens_fire_once_and_in_order():
    rules = [
        rule({"tokens": 0}, "first"),
        rule({"after": {"rule": "first", "tokens": 300}}, "second"),
        rule({"above": {"metric": "m", "value": 2}}, "third", by=500),
    ]
    controller = Controller(rules)
    found = controller.step(Step(0, 0), math.nan)
    for number in range(1, 11):
        found += controller.step(Step(number, 100 * number), 1.0)
    assert [(d.rule, d.step.tokens) for d in found] == [
        ("first", 0),
        ("second", 300),
        ("third", 500),
    ]
    assert found[2].evidence == {"condition": "deadline", "deadline": True, "tokens": 500}


def test_the_training_loss_is_the_mean_of_the_last_twenty_steps():
    controller = Controller([rule({"below": {"metric": "train.loss", "value": 1.5}})])
    fired = [n for n in range(1, 61) if controller.step(Step(n, n), 2.0 if n <= 25 else 1.0)]
    assert fired == [36]  # 9 steps of 2 and 11 of 1: the first mean below 1.5


def test_a_step_of_the_training_loss_is_a_transition_and_a_smooth_fall_is_none():
    rng = random.Random(1)
    noise = [0.05 * rng.gauss(0, 1) for _ in range(400)]

    def fires(loss: Callable[[int], float]) -> list[tuple[int, int]]:
        controller = Controller([rule({"transition": {"metric": "train.loss"}})])
        found = []
        for number in range(1, 401):
            found += controller.step(Step(number, 256 * number), loss(number) + noise[number - 1])
        return [(each.evidence["onset"] // 256, each.step.step) for each in found]

    assert fires(lambda n: 5.0 - 0.5 * math.log10(n)) == []
    assert fires(lambda n: 3.0 + (n > 250)) == []  # up is the wrong way
    ((onset, step),) = fires(lambda n: 3.0 - (n > 250))
    assert onset == 251
    assert step <= 251 + 24  # holds for 14 steps, and is looked at every 8


def test_a_restored_controller_decides_the_same():
    rules = [
        rule({"transition": {"metric": "train.loss"}}, "z"),
        rule({"transition": {"metric": "m"}}, "a"),
        rule({"plateau": {"metric": "m", "decades": 0.1, "tolerance": 0.3}}, "b"),
        rule({"below": {"metric": "train.loss", "value": 0.7}}, "c"),
        rule(
            {
                "all": [
                    {"after": {"rule": "b"}},
                    {"none": [{"below": {"metric": "m", "value": 0.5}}]},
                ]
            },
            "d",
        ),
    ]
    values = [0.25 + 0.002 * (n % 3) for n in range(40)] + [
        0.8 + 0.002 * (n % 3) for n in range(40)
    ]

    def feed(controller: Controller, number: int) -> list[Decision]:
        step = Step(number, round(1e4 * 10 ** (number / 40)))
        found = controller.step(step, 2.0 - 0.02 * number - (number > 50))
        return found + controller.observe(step, [reading(values[number - 1])])

    whole = Controller(rules)
    expected = [feed(whole, number) for number in range(1, 81)]
    assert sorted(each.rule for found in expected for each in found) == ["a", "b", "c", "d", "z"]
    for cut in range(0, 80, 7):
        first, second = Controller(rules), Controller(rules)
        begun = [feed(first, number) for number in range(1, cut + 1)]
        second.restore(json.loads(json.dumps(first.state())))
        assert begun + [feed(second, number) for number in range(cut + 1, 81)] == expected


def test_a_metric_that_no_probe_reads_is_refused_at_the_first_observation():
    controller = Controller([rule({"above": {"metric": "nothing", "value": 1}})])
    with pytest.raises(RecipeError, match=r"nothing.*one of m"):
        controller.observe(Step(1, 1), [reading(0.5)])


@pytest.mark.filterwarnings("ignore:nucleate. probe")
@pytest.mark.parametrize("fails", [{1}, {1, 2, 3}, set(range(4, 99))])
def test_a_probe_that_fails_ends_no_run_and_the_run_can_be_replayed(tmp_path, monkeypatch, fails):
    """The copying probe fails at its first time, so long that it is disabled, or later."""
    wish = with_policy(probes={**tiny().probes.model_dump(), "only": ["refrain", "cause"]})
    calls, plain = itertools.count(1), observer.checked

    def flaky(readings):
        found = plain(readings)
        if found[0].metric.startswith("refrain") and next(calls) in fails:
            raise RuntimeError("not now")
        return found

    monkeypatch.setattr(observer, "checked", flaky)
    opened = Run.open(run(wish, tmp_path / "r"))
    assert str(opened.status) == "finished"
    assert [each.rule for each in opened.decisions()] == ["begin", "end", "late"]
    assert all(each.same for each in replay(opened))


def test_a_metric_that_no_probe_reads_is_refused_once_all_probes_have_answered():
    controller = Controller([rule({"above": {"metric": "nothing", "value": 1}})])
    assert controller.observe(Step(1, 1), [reading(0.5)], whole=False) == []
    with pytest.raises(RecipeError, match=r"nothing.*one of m"):
        controller.observe(Step(2, 2), [reading(0.5)])


@pytest.mark.parametrize(
    ("when", "unit", "words"),
    [
        ({"saturated": {"metric": "m"}}, "nats", "no ceiling"),
        ({"transition": {"metric": "m", "from_chance": True}}, "fraction", "no chance"),
    ],
)
def test_a_condition_that_its_metric_cannot_meet_is_refused(when, unit, words):
    controller = Controller([rule(when)])
    with pytest.raises(RecipeError, match=words):
        controller.observe(Step(1, 1), [Reading("m", 0.5, 0.1, 10, math.nan, unit)])


@pytest.mark.parametrize(
    "when",
    [
        {"saturated": {"metric": "train.loss"}},
        {"transition": {"metric": "train.loss", "sigmas": 3}},
    ],
)
def test_settings_without_effect_on_the_training_loss_are_refused(when):
    with pytest.raises(ValueError, match=r"no effect|no ceiling"):
        rule(when)


def test_standard_errors_that_are_unknown_are_not_taken_for_zero():
    above = {"metric": "m", "value": 0.5, "se": 2}
    assert fired_at({"above": above}, [0.9]) == 1
    controller = Controller([rule({"above": above})])
    assert not controller.observe(Step(1, 1), [reading(0.9, se=math.nan)])


def test_the_same_rules_at_other_times():
    rules = (rule({"tokens": 0}, "a"), rule({"transition": {"metric": "m"}}, "b", by=5000))
    made = [Decision(Step(0, 0), "a", {"lever": 1}, {}), Decision(Step(7, 700), "b", {}, {})]
    assert [r.when.tokens for r in yoked(rules, made)] == [0, 700]
    assert [r.when.tokens for r in fixed(rules, {"b": 400})] == [0, 400]
    assert all(r.by is None for r in yoked(rules, made))
    times = {shamed(rules, made, seed, 9000)[1].when.tokens for seed in range(50)}
    assert len(times) > 40
    assert 175 <= min(times) < 350 < 1400 < max(times) <= 2800
    assert shamed(rules, made, 3, 9000) == shamed(rules, made, 3, 9000)
    early = (rules[0], rule({"transition": {"metric": "m"}}, "b", by=900))
    times = {shamed(early, made, seed, 9000)[1].when.tokens for seed in range(200)}
    assert 175 <= min(times) < 200
    assert 850 < max(times) <= 900
    with pytest.raises(RecipeError, match="lacks"):
        fixed(rules, {})


def test_sham_rules_fire_in_the_order_of_the_decisions_and_before_the_run_ends():
    grow = {"above": {"metric": "m", "value": 0.5}}
    rules = (
        rule(grow, "three"),  # first in the list and second to fire
        rule(grow, "two"),
        rule({"after": {"rule": "two", "tokens": 1000}}, "then"),
        rule(grow, "silent"),
    )
    fired = {"two": 300_000, "then": 301_000, "other arm": 400_000, "three": 500_000}
    made = [Decision(Step(n, at), name, {}, {}) for n, (name, at) in enumerate(fired.items())]
    found = [
        {each.name: each.when.tokens for each in shamed(rules, made, seed, 898_000)}
        for seed in range(300)
    ]
    for times in found:
        assert 75_000 <= times["two"] <= times["then"] <= times["three"] <= 898_000
        assert times["silent"] == NEVER
    assert len({times["three"] for times in found}) > 100
    # a run that lent longer than the sham run lasts
    short = [each.when.tokens for each in shamed(rules, made, 1, 60_000)]
    assert short[:3] == [60_000] * 3


POLICY: list[dict[str, Any]] = [
    {"name": "begin", "when": {"tokens": 0}, "pull": {"repeats": 0.5}},
    {
        "name": "end",
        "when": {
            "all": [
                {"tokens": 2000},
                {"below": {"metric": "refrain.all.accuracy", "value": 2.0}},
                {"none": [{"transition": {"metric": "refrain.all.accuracy"}}]},
            ]
        },
        "by": 4000,
        "pull": {"repeats": 0.0},
    },
    {"name": "late", "when": {"after": {"rule": "end", "tokens": 600}}, "pull": {"rows": 2}},
]


def with_policy(**changes: Any) -> Recipe:
    levers = {"repeats": {"kind": "procedural"}, "rows": {"kind": "batch"}}
    return tiny(levers=levers, policy=POLICY, **changes)


def test_a_run_with_a_policy_stopped_anywhere_goes_on_bit_by_bit_and_can_be_replayed(tmp_path):
    wish = with_policy()
    shown: list[Progress] = []
    run(wish, tmp_path / "whole", listener=ProgressTracker(shown.append))
    whole = Run.open(tmp_path / "whole")
    expected = whole.decisions()
    assert [decision.rule for decision in expected] == ["begin", "end", "late"]
    assert all(each.same for each in replay(whole))
    told = [event.text for event in whole.events() if event.kind == "decision"]
    assert shown[-1].message == f"at {tokens(expected[-1].step.tokens)} tokens, {told[-1]}"
    again: list[Progress] = []
    tracker = ProgressTracker(again.append)
    tracker.start_from(whole)
    tracker.on_step(expected[-1].step, 1.0)
    assert again[-1].message == f"at {tokens(expected[-1].step.tokens)} tokens, late: rows → 2"
    workload = build_workload(wish)
    manifest = Manifest(name="x", recipe=wish.model_dump(mode="json"), environment={}, seeds={})
    steps = expected[-1].step.step + 3
    prints = []
    for cut in (None, *range(1, steps)):
        folder = tmp_path / f"cut{cut}"
        with RunWriter.create(folder, manifest) as writer:
            loop = Loop(wish, workload, writer)
            while loop.step.step < (steps if cut is None else cut):
                loop.advance()
            loop.save()
        if cut is not None:
            with RunWriter.resume(folder, loop.step) as writer:
                loop = Loop(wish, build_workload(wish), writer)
                loop.resume()
                while loop.step.step < steps:
                    loop.advance()
        prints.append(fingerprint(loop)["weights"])
        made = Run.open(folder).decisions()
        assert [(d.rule, d.step.step, d.evidence) for d in made] == [
            (d.rule, d.step.step, d.evidence) for d in expected
        ]
    assert len(prints) > 10
    assert len(set(prints)) == 1


def test_replay_tells_a_record_that_does_not_follow_from_the_readings(tmp_path):
    wish = with_policy()
    manifest = Manifest(name="x", recipe=wish.model_dump(mode="json"), environment={}, seeds={})
    cause = {"condition": "tokens", "tokens": 0}
    with RunWriter.create(tmp_path / "r", manifest) as writer:
        writer.decision(Decision(Step(0, 0), "begin", {"repeats": 0.5}, cause))
        writer.decision(Decision(Step(9, 900), "end", {"repeats": 0.0}, {"deadline": 4000}))
    begin, end = replay(Run.open(tmp_path / "r"))
    assert begin.same
    assert not end.same
    assert end.derived is None


def test_a_rule_that_a_record_shows_twice_does_not_follow(tmp_path):
    manifest = Manifest(name="x", recipe=with_policy().model_dump(mode="json"))
    cause = {"condition": "tokens", "tokens": 0}
    with RunWriter.create(tmp_path / "r", manifest) as writer:
        for _ in range(2):
            writer.decision(Decision(Step(0, 0), "begin", {"repeats": 0.5}, cause))
    assert [each.same for each in replay(Run.open(tmp_path / "r"))] == [True, False]


def test_replay_of_a_run_that_died_and_did_its_last_steps_again(tmp_path):
    wish, folder = with_policy(), tmp_path / "r"
    manifest = Manifest(name="x", recipe=wish.model_dump(mode="json"))
    whole = run(wish, tmp_path / "whole")
    late = Run.open(whole).decisions()[-1].step.step
    with RunWriter.create(folder, manifest) as writer:
        loop = Loop(wish, build_workload(wish), writer)
        while loop.step.step < late + 1:  # dies after the last decision
            if loop.step.step == late - 2:
                loop.save()
            loop.advance()
    run(wish, folder, resume=True)
    opened = Run.open(folder)
    assert len(opened.attempts()) == 2
    assert [d.rule for d in opened.decisions()] == ["begin", "end", "late"]
    assert [each.same for each in replay(opened)] == [True] * 3


def test_a_run_without_a_policy_cannot_be_replayed(tmp_path):
    manifest = Manifest(name="x", recipe={}, environment={}, seeds={})
    RunWriter.create(tmp_path / "r", manifest).close()
    with pytest.raises(UserError, match="no policy"):
        replay(Run.open(tmp_path / "r"))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ([{"name": "a", "when": {"tokens": 1}, "pull": {"nothing": 1}}], "no lever"),
        ([{"name": "a", "when": {"tokens": 1}, "pull": {"repeats": 7}}], "a share from 0 to 1"),
        ([{"name": "a", "when": {}, "pull": {"repeats": 0}}], "exactly one key"),
        (
            [{"name": "a", "when": {"after": {"rule": "b"}}, "pull": {"repeats": 0}}],
            "earlier are none",
        ),
        ([POLICY[0], POLICY[0]], "two rules"),
        (
            [{"name": "a", "when": {"plateu": {"metric": "m"}}, "pull": {"repeats": 0}}],
            "did you mean 'plateau'",
        ),
        (
            [{"name": "a", "when": {"any": [{"tokns": 0}]}, "pull": {"repeats": 0}}],
            "did you mean 'tokens'",
        ),
    ],
)
def test_what_is_wrong_with_a_policy_is_said(policy, words):
    content = tiny(levers={"repeats": {"kind": "procedural"}}).model_dump(mode="json")
    with pytest.raises(RecipeError, match=words):
        validate(Recipe, {**content, "policy": policy}, where="recipe.yaml")


def test_conditions_know_the_metrics_that_they_wait_for():
    when = {
        "all": [{"above": {"metric": "a", "value": 1}}, {"any": [{"saturated": {"metric": "b"}}]}],
    }
    nothing = {"none": [{"below": {"metric": "c", "value": 1}}, when]}
    assert Condition.model_validate(when).metrics == {"a", "b"}
    assert Condition.model_validate(nothing).metrics == {"a", "b", "c"}


def test_a_policy_that_waits_for_probes_needs_the_observer(tmp_path):
    with pytest.raises(RecipeError, match="observer on"):
        run(with_policy(), tmp_path / "r", observed=False)
