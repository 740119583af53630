from __future__ import annotations

import io
import math
import time

import pytest
from rich.console import Console

from nucleate.core import Level, Step
from nucleate.views.braille import braille_lines
from nucleate.views.live import LiveView, Progress, panel, plain_line
from nucleate.views.terminal import summary


def shown(console):
    return console.file.getvalue()


def plain_console(width=80, terminal=False):
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)


def progress(tokens=2_867_200, **changed):
    losses = tuple((4096.0 * k, 1.2 + 5.0 / k) for k in range(1, 300))
    values = {
        "step": Step(tokens // 4096, tokens),
        "total_tokens": 6_000_000,
        "loss": 1.62,
        "tokens_per_second": 8123.0,
        "eta_seconds": 312.0,
        "phase": "syntactic organization",
        "scores": {Level.SYNTAX: 0.93, Level.COOCCURRENCE: 0.8, Level.NARRATIVE: math.nan},
        "losses": losses,
        "message": "probing [bold]agreement[/bold]",
    }
    return Progress(**(values | changed))


def test_summary_fits_80_columns_and_says_all(analysis):
    console = plain_console()
    summary(analysis, console, report="runs/a/report.html")
    text = shown(console)
    assert max(len(line) for line in text.splitlines()) <= 80
    flat = " ".join(text.split())
    for sentence in analysis.story:
        assert sentence in flat
    for words in (
        "agreement.attractor",
        "transition candidate",
        "Phases",
        "Not sharp",
        "never left chance",
        "runs/a/report.html",
    ):
        assert words in text
    assert "nan" not in text


def test_summary_of_an_empty_run(tmp_path):
    from nucleate.store import Manifest, Run, RunWriter

    with RunWriter.create(tmp_path / "run", Manifest(name="[red]empty[/red]")):
        pass
    console = plain_console()
    summary(Run.open(tmp_path / "run"), console)
    assert "[red]empty[/red]" in shown(console)
    assert "No readings" in shown(console)


def test_plain_line_is_one_line():
    line = plain_line(progress(message="two\nlines"))
    assert "\n" not in line
    assert line.startswith("48% | 2.87M/6M tokens | step 700 | loss 1.620 | 8.12k tokens/s")
    assert "cooccurrence .80 syntax .93 narrative –" in line
    assert plain_line(Progress(Step(0, 0), 0)).startswith("0%")


def test_panel_fits_80_columns():
    console = plain_console()
    console.print(panel(progress(), "a run"))
    text = shown(console)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "probing [bold]agreement[/bold]" in text
    assert "provisional" in text
    assert "nan" not in text


def test_in_a_log_lines_are_rare_and_the_last_state_is_written():
    console = plain_console()
    with LiveView(console=console) as view:
        for k in range(1, 1001):
            view.update(progress(4096 * k))
    lines = shown(console).splitlines()
    assert len(lines) == 2
    assert lines[-1].startswith("68% | 4.1M/6M")


def test_quiet_says_nothing():
    console = plain_console(terminal=True)
    with LiveView(console=console, quiet=True) as view:
        view.update(progress())
    assert shown(console) == ""


def test_a_terminal_gets_few_frames():
    console = plain_console(terminal=True)
    with LiveView("a", console=console) as view:
        begin = time.perf_counter()
        for k in range(1, 5001):
            view.update(progress(4096 * k, losses=()))
        spent = time.perf_counter() - begin
    frames = shown(console).count("provisional")
    assert 1 <= frames <= 3 + 4 * spent


def test_an_error_in_training_passes_through():
    console = plain_console(terminal=True)

    def train():
        with LiveView(console=console) as view:
            view.update(progress())
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        train()


def test_braille_draws_a_falling_line_from_top_left_to_bottom_right():
    rows = braille_lines([(10.0**k, -float(k)) for k in range(1, 9)], 4, 2)
    assert [len(row) for row in rows] == [4, 4]
    assert rows[0][0] != " "
    assert rows[1][-1] != " "
    assert rows[0][-1] == rows[1][0] == " "


def test_braille_of_nothing_is_blank():
    assert braille_lines([(0.0, 1.0), (5.0, math.nan)], 3, 2) == ["   ", "   "]
