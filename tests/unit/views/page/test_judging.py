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


def run(kept, answers, *snapshots):
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
        judging = Judging(keeper, judge)
        for each in snapshots:
            judgement = await judging.of(each)
            while judgement.working:
                await asyncio.sleep(0)
        return judgement

    return asyncio.run(ask()), calls


def test_kept_verdicts_need_no_work():
    found, calls = run({"m": SMOOTH}, [], snapshot(1000, "finished"))
    assert (found.assessments, found.partial, calls) == ({"m": SMOOTH}, False, [])


def test_the_levels_are_judged_first_then_everything():
    found, calls = run(None, [SMOOTH, step(0.001, 0.01)], snapshot(1000))
    assert calls == [(1000, True), (1000, False)]
    assert found.serial == 2
    assert not found.partial
    assert [point.verdict for point in found.course["m"]] == [Verdict.SMOOTH, Verdict.STEP_LIKE]


def test_it_judges_again_only_when_the_run_has_grown_enough_or_ended():
    """6 % more tokens are enough, 5 % are not; the end is always judged once."""
    answers = [SMOOTH] * 4
    found, calls = run(
        None, answers, snapshot(1000), snapshot(1050), snapshot(1061), snapshot(1062, "finished")
    )
    assert calls == [(1000, True), (1000, False), (1061, False), (1062, False)]
    assert found.tokens == 1062


def test_certainty_grows_in_the_course():
    answers = [SMOOTH, SMOOTH, step(0.02, 0.2), step(0.001, 0.01), step(0.0001, 0.002)]
    found, _ = run(None, answers, *(snapshot(t) for t in (1000, 2000, 4000, 8000)))
    course = found.course["m"]
    assert [(point.tokens, point.q) for point in course[1:]] == [
        (2000, 0.2),
        (4000, 0.01),
        (8000, 0.002),
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
    assert found.partial


def test_a_detector_that_fails_is_told_and_not_asked_again():
    found, calls = run(None, [ValueError("no")], snapshot(1000), snapshot(9000))
    assert found.failed == "ValueError: no"
    assert len(calls) == 1


def test_partial_verdicts_never_replace_whole_ones():
    judgement = Judgement()
    judgement.take({"m": SMOOTH, "n": SMOOTH}, None, 10, partial=False)
    judgement.take({"m": step(0.1, 0.2)}, None, 20, partial=True)
    assert set(judgement.assessments) == {"m", "n"}
    assert not judgement.partial
