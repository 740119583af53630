from __future__ import annotations

import asyncio
import shutil
from urllib.parse import unquote

import pytest

from nucleate.views.page.app import make_app
from nucleate.views.page.doors import Doors
from nucleate.views.page.shelf import Shelf
from tests.unit.views.page.made import small_run

STEPS_UP = [".." + "/.." * n for n in range(10)]
TRAVERSALS = [
    *(f"{up}/secret.txt" for up in STEPS_UP),
    *(f"{up}/elsewhere" for up in STEPS_UP),
    *(f"a/{up}/elsewhere" for up in STEPS_UP),
    *(f"deep/b/{up}/secret.txt" for up in STEPS_UP[:5]),
    *(up.replace("/", "%2f") + "%2felsewhere" for up in STEPS_UP[:5]),
    *(up.replace(".", "%2e") + "/elsewhere" for up in STEPS_UP[:5]),
    *("%25" + up.replace(".", "%252e") + "/secret.txt" for up in STEPS_UP[:2]),
    "..\\elsewhere",
    "..%5c..%5celsewhere",
    "....//elsewhere",
    "..;/elsewhere",
    "link",
    "link/run.json",
    "a/secret",
    "a/run.json",
    "a/log/000001.jsonl",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "%00",
    "a%00.txt",
    "../elsewhere%00",
    "%c0%ae%c0%ae/elsewhere",
    "%e0%80%ae%e0%80%ae/elsewhere",
    "\u2025/elsewhere",
    "~/elsewhere",
    "C:\\Windows\\win.ini",
]
OUTSIDE = ("the secret outside", "the run outside", "root:")


def test_there_are_enough_of_them():
    assert len(set(TRAVERSALS)) == 67


def raw(app, doors, path: str) -> tuple[int, bytes]:
    """Ask for a path exactly as it is written: no client tidies it up on the way."""
    session = doors.enter(doors.token)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"cookie", f"nucleate_80={session}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


@pytest.mark.parametrize("route", ["run", "live", "curves", "assets"])
def test_traversal_reaches_nothing_outside(shelf, route):
    """67 strings on 4 routes, as written and decoded: 0 bytes of what lies outside the root."""
    doors = Doors()
    app = make_app(shelf, doors)
    for each in TRAVERSALS:
        for path in (f"/{route}/{each}", f"/{route}/{unquote(each)}"):
            status, body = raw(app, doors, path)
            assert status == 404, path
            assert not any(word.encode() in body for word in OUTSIDE), path
    known = raw(app, doors, f"/{route}/" + ("page.js" if route == "assets" else "deep/b"))
    assert known[0] == 200  # what is there is found by the same way


def test_traversal_in_a_comparison(inside):
    answer = inside.get("/compare", params={"run": TRAVERSALS[:8]})
    assert "Choose at least two runs" in answer.text
    for each in TRAVERSALS:
        answer = inside.get("/compare", params={"run": [each, "a"]})
        assert not any(word in answer.text for word in OUTSIDE)


def test_runs_are_found_by_walking_and_links_are_not_followed(shelf):
    found = Shelf(shelf).look()
    assert [place.key for place in found] == ["a", "c", "deep/b"]


def test_a_run_folder_can_be_the_root(shelf):
    one = Shelf(shelf / "a")
    assert [place.key for place in one.look()] == ["a"]
    assert one.find("a") is not None


def test_a_run_that_came_later_is_found_and_one_that_went_is_not(tmp_path):
    shelf = Shelf(tmp_path)
    assert shelf.find("new") is None
    small_run(tmp_path / "new")
    assert shelf.find("new") is not None
    (tmp_path / "new" / "run.json").unlink()
    assert [place.key for place in shelf.look()] == ["new"]  # its log holds a copy
    shutil.rmtree(tmp_path / "new" / "log")
    assert shelf.find("new") is None
    assert shelf.look() == []


def test_links_inside_a_run_are_not_followed(tmp_path):
    small_run(tmp_path / "outside")
    root = tmp_path / "root"
    small_run(root / "a")
    log = root / "a" / "log"
    log.rename(root / "a" / "kept")
    log.symlink_to(tmp_path / "outside" / "log")
    assert Shelf(root).look() == []


def test_folders_too_deep_are_left_alone(tmp_path):
    small_run(tmp_path / "1" / "2" / "3" / "4")
    small_run(tmp_path / "1" / "2" / "3" / "5" / "6")
    assert [place.key for place in Shelf(tmp_path).look()] == ["1/2/3/4"]
