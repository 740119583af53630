from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from nucleate.views.waiting import waiting


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80)


def said(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def shows(out: Console, words: str) -> bool:
    """Wait until words are on the screen, ten seconds at most."""
    for _ in range(1000):
        if words in said(out):
            return True
        time.sleep(0.01)
    return False


def test_long_work_says_what_it_does_and_takes_the_line_away() -> None:
    out = console(terminal=True)
    with waiting("analysing runs/[a]", after=0.0, console=out) as say:
        assert shows(out, "analysing runs/[a]")
        say("drawing ladder")
        assert shows(out, "drawing ladder")
    assert said(out).endswith("\x1b[2K")  # the last thing written erases the line


def test_quick_work_and_a_file_see_nothing() -> None:
    quick, file = console(terminal=True), console(terminal=False)
    with waiting("a moment", after=60.0, console=quick) as say:
        say("still a moment")
    assert "moment" not in said(quick)
    with waiting("long", after=0.0, console=file):
        time.sleep(0.05)
    assert said(file) == ""
    silent = console(terminal=True)
    with waiting("long", after=0.0, console=silent, quiet=True):
        time.sleep(0.05)
    assert said(silent) == ""


def test_a_mistake_on_the_way_takes_the_line_away_too() -> None:
    out = console(terminal=True)
    with pytest.raises(ZeroDivisionError), waiting("reading", after=0.0, console=out):
        _ = 1 / (0 if shows(out, "reading") else 1)
    assert said(out).endswith("\x1b[2K")
