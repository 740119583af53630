"""nucleate cost, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nucleate.cli_cost import _number
from nucleate.core import UserError
from nucleate.views.cost.numbers import percent, power, shown

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}


def nucleate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nucleate.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        check=False,
    )


ASK = ("cost", "--params", "7B", "--tokens", "1.4e11", "--mfu", "0.5")


def test_a_scenario_in_the_terminal_and_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "new" / "cost.html"
    done = nucleate(
        *ASK, "--price", "2", "--saving", "0.3", "--saving-interval", "0.2,0.4", "--page", str(page)
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    for text in (
        "a scenario, not a result",
        "5.88 × 10²¹",
        "10 470 h",
        "20 940 USD",
        "4.12 × 10²¹",
    ):
        assert text in done.stdout
    assert "not a result at this scale" in done.stdout
    html = page.read_text()
    for text in ("5.88 × 10²¹", "10 470 h", "not a result at this scale", "arXiv:2307.09288"):
        assert text in html
    assert html.count(">assumed<") == 11
    assert html.count(">modelled<") == 6
    links = [word for word in ("http:", "https:", "<script", "src=", "url(") if word in html]
    assert links == []
    _Closed().feed(html)


def test_json_is_all_that_json_prints() -> None:
    done = nucleate(*ASK, "--json")
    data = json.loads(done.stdout)
    assert done.stderr == ""
    assert data["outputs"][0]["value"] == 5.88e21
    assert data["saving"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cost",), "say what to price"),
        (("cost", "--params", "7B"), "say how many training tokens"),
        (("cost", "--params", "x", "--tokens", "1"), "--params: is not a number (got 'x'"),
        (("cost", "--params", "7B", "--config", "a", "--tokens", "1"), "say what to price"),
        (("cost", "--params", "7B", "--tokens", "1", "--context", "8"), "--context goes with"),
        (("cost", "--run", "nowhere", "--tokens", "1"), "--run knows its own tokens"),
        ((*ASK, "--saving", "0.3"), "only shown with its interval"),
        ((*ASK, "--mfu", "40"), "--mfu: must be at most 1"),
    ],
)
def test_mistakes_end_as_one_line(arguments: tuple[str, ...], says: str) -> None:
    done = nucleate(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_scenario_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['nucleate', *'cost --params 7B --tokens 2T --json'.split()]\n"
        "import nucleate.cli\n"
        "try: nucleate.cli.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'transformers', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_numbers_as_people_type_them() -> None:
    assert [_number(text, "") for text in ("7e9", "7B", "1.5T", "300_000", "2m", "4k")] == [
        7e9, 7e9, 1.5e12, 3e5, 2e6, 4e3,
    ]  # fmt: skip
    with pytest.raises(UserError, match="is not a number"):
        _number("B", "")


def test_numbers_as_people_read_them() -> None:
    assert shown(81_071, "kWh") == "81.1 MWh"
    assert shown(0.0005, "kWh") == "500 mWh"
    assert shown(31_220, "kg CO2e") == "31.2 t CO2e"
    assert shown(90 * 24, "h", "wall_hours") == "90 days"
    assert shown(90 * 24, "h", "device_hours") == "2 160 h"
    assert shown(0.5, "h") == "30 min"
    assert shown(0.001, "h") == "3.6 s"
    assert shown(1e-9, "h") == "3.6 µs"
    assert shown(312e12, "FLOP/s") == "312 TFLOP/s"
    assert shown(4096, "tokens") == "4 096 tokens"
    assert shown(2e12, "tokens") == "2T tokens"
    assert shown(float("nan"), "kWh") == "–"
    assert power(8.0856e22) == "8.09 × 10²²"
    assert power(9.999e-3) == "1.00 × 10⁻²"
    assert percent(-0.05) == "−5 %"


class _Closed(HTMLParser):
    """Fails on a tag that is closed without having been opened last."""

    _VOID = frozenset({"meta", "br", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
