from __future__ import annotations

import asyncio
from pathlib import Path

from nucleate.core import Assessment, Evidence, Kind, Step, Transition, Verdict
from nucleate.store import Manifest
from nucleate.views.page.judging import Judgement, Judging
from nucleate.views.page.snapshot import Snapshot


def snapshot(tokens: int, status: str = "running", **more) -> Snapshot:
    return Snapshot(
        key="k",
        path=Path("k"),
        stamp=str(tokens),
        manifest=Manifest("k"),
        status=status,
        last=Step(tokens, tokens),
        num_readings=3,
        **more,
    )


def step(p: float, q: float) -> Assessment:
    change = Transition(
        "m", Kind.STEP, Verdict.STEP_LIKE, 500.0, 400.0, 600.0, 0.1, 0.5, 450.0,
        Evidence(5.0, 5.0, p, q),
    )  # fmt: skip
    return Assessment("m", Verdict.STEP_LIKE, (change,), 500.0, 400.0, 600.0)


SMOOTH = Assessment("m", Verdict.SMOOTH)


def run(kept, answers, *snapshots, clock=lambda: 0.0):
    """Ask for each snapshot in turn, letting all begun work end; return judgements and calls."""
    calls = []

    async def keeper(of):
        return kept

    async def judge(of, primary):
        calls.append((of.last.tokens, primary))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"m": answer}, None

    async def ask():
        judging = Judging(keeper, judge, clock)
        for each in snapshots:
            judgement = await judging.of(each)
            while judgement.working:
                await asyncio.sleep(0)
        return judgement

    return asyncio.run(ask()), calls


def test_kept_verdicts_need_no_work():
    found, calls = run({"m": SMOOTH}, [], snapshot(1000, "finished"))
    assert (found.assessments, found.whole, calls) == ({"m": SMOOTH}, 1000, [])


def test_the_levels_are_judged_first_then_everything():
    found, calls = run(None, [SMOOTH, step(0.001, 0.01)], snapshot(1000))
    assert calls == [(1000, True), (1000, False)]
    assert found.serial == 2
    assert found.whole == 1000
    assert [point.verdict for point in found.course["m"]] == [Verdict.SMOOTH, Verdict.STEP_LIKE]


def test_it_judges_again_only_when_the_run_has_grown_enough_or_ended():
    """6 % more tokens are enough for the levels, 5 % are not; half as many more for everything."""
    answers = [SMOOTH] * 7
    tokens = (1000, 1050, 1061, 1500)
    found, calls = run(
        None, answers, *(snapshot(each) for each in tokens), snapshot(1501, "finished")
    )
    assert calls == [
        (1000, True),
        (1000, False),
        (1061, True),
        (1500, True),
        (1500, False),
        (1501, False),
    ]
    assert found.tokens == found.whole == 1501


def test_certainty_grows_in_the_course():
    answers = [SMOOTH, SMOOTH, step(0.02, 0.2), step(0.001, 0.01), step(0.0001, 0.002)]
    found, _ = run(None, answers, *(snapshot(t) for t in (1000, 1100, 1200, 1300)))
    course = found.course["m"]
    assert [(point.tokens, point.q) for point in course[1:]] == [
        (1100, 0.2),
        (1200, 0.01),
        (1300, 0.002),
    ]


def test_the_same_readings_in_a_larger_family_are_one_point():
    found, _ = run(None, [step(0.001, 0.01), step(0.001, 0.03)], snapshot(1000))
    assert [(point.tokens, point.q) for point in found.course["m"]] == [(1000, 0.03)]


def test_nothing_is_judged_before_the_log_has_been_read():
    _, calls = run(None, [], snapshot(1000, share=0.5))
    assert calls == []


def test_a_large_run_is_judged_by_its_levels_alone():
    found, calls = run(None, [SMOOTH], snapshot(1000, large=True), snapshot(1001, large=True))
    assert calls == [(1000, True)]
    assert found.whole == 0


def test_a_detector_that_fails_is_told_and_not_asked_again_at_once():
    found, calls = run(None, [ValueError("no")], snapshot(1000), snapshot(9000))
    assert found.failed == "ValueError: no"
    assert len(calls) == 1


def test_a_detector_that_failed_is_asked_again_after_a_pause_and_its_failure_forgotten():
    """It fails at 0 s: a look at 9 s finds nothing due, one at 11 s does."""
    times = iter([0.0, 0.0, 0.0, 9.0, 11.0, 11.0, 11.0])
    answers = [ValueError("out of memory"), SMOOTH, SMOOTH]
    same = [snapshot(1000, "finished")] * 3
    found, calls = run(None, answers, *same, clock=lambda: next(times, 11.0))
    assert calls == [(1000, True), (1000, True), (1000, False)]
    assert (found.failed, found.failures) == ("", 0)
    assert found.assessments == {"m": SMOOTH}


def test_each_failure_in_a_row_waits_longer_and_none_longer_than_ten_minutes():
    judgement = Judgement()
    waits = []
    for _ in range(5):
        judgement.fail("no", 1000.0)
        waits.append(judgement.again - 1000.0)
    assert waits == [10.0, 60.0, 360.0, 600.0, 600.0]
    judgement.failures = 1000  # a week of them
    judgement.fail("no", 1000.0)
    assert judgement.again == 1600.0


def test_what_comes_late_never_replaces_what_is_newer():
    """Everything at 10 tokens is still being judged when the levels at 20 come in."""
    judgement = Judgement()
    judgement.take({"m": step(0.1, 0.2)}, None, 20, whole=False)
    judgement.take({"m": SMOOTH, "n": SMOOTH}, None, 10, whole=True)
    assert judgement.assessments == {"m": step(0.1, 0.2), "n": SMOOTH}
    assert judgement.at == {"m": 20, "n": 10}
    assert (judgement.whole, judgement.levels, judgement.tokens) == (10, 20, 20)
    assert [point.tokens for point in judgement.course["m"]] == [20]


def test_levels_are_judged_while_everything_still_is():
    judgement = Judgement(busy={"all"})
    judgement.take({"m": SMOOTH}, None, 1000, whole=False)
    assert judgement.wants(snapshot(2000)) == ["levels"]
    assert judgement.wants(snapshot(2000, "finished")) == []
