from __future__ import annotations

import io
import logging
import socket
import threading
import time
import urllib.request
from urllib.error import HTTPError

import pytest
import uvicorn
from starlette.testclient import TestClient

from nucleate.views.page.app import make_app
from nucleate.views.page.doors import Doors

PATHS = ("/", "/run/a", "/live/a", "/curves/a", "/compare", "/assets/page.js", "/nothing")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_session_there_is_nothing(client, path):
    answer = client.get(path)
    assert answer.status_code == 403
    assert answer.text == (
        "Open the address that nucleate printed in your terminal: it holds a token, once.\n"
    )


@pytest.mark.parametrize("path", PATHS)
def test_under_another_name_there_is_nothing(inside, path):
    answer = inside.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


def test_the_token_is_not_taken_under_another_name(client, doors):
    token = doors.token
    answer = client.get("/", params={"token": token}, headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert doors.token == token


def test_the_token_leaves_the_address_and_becomes_a_cookie(client, doors):
    token = doors.token
    answer = client.get("/run/a", params={"token": token, "since": "x y"}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/run/a?since=x+y"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("nucleate_7860=")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert token not in cookie
    assert client.get("/").status_code == 200


def test_the_token_works_once(client, doors, shelf):
    token = doors.token
    assert client.get("/", params={"token": token}).status_code == 200
    with TestClient(client.app, base_url="http://127.0.0.1:7860") as other:
        assert other.get("/", params={"token": token}).status_code == 403
        assert other.get("/").status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "///evil.example"])
def test_a_token_never_leads_elsewhere(client, doors, path):
    answer = client.get(
        "http://127.0.0.1:7860" + path, params={"token": doors.token}, follow_redirects=False
    )
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"])
@pytest.mark.parametrize("path", ["/", "/run/a", "/assets/page.js"])
def test_nothing_can_be_changed(inside, method, path):
    answer = inside.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/", "/run/a", "/live/a", "/curves/a", "/run/x", "/assets/page.js"]
)
def test_every_answer_carries_the_headers(inside, path):
    answer = inside.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] in ("no-store", "no-cache")


def test_head_is_answered_without_a_body(inside):
    answer = inside.head("/run/a")
    assert answer.status_code == 200
    assert answer.content == b""


def test_other_sites_cannot_fetch(inside):
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert inside.get("/assets/page.js", headers=cross).status_code == 403
    follow = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert inside.get("/", headers=follow).status_code == 200


def test_web_sockets_are_refused(inside):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), inside.websocket_connect("/"):
        pass


def test_a_damaged_cookie_is_no_session(client):
    client.cookies.set("nucleate_7860", "forged")
    assert client.get("/").status_code == 403
    assert client.get("/", headers={"cookie": b'nucleate_7860="; ;;=\x80'}).status_code == 403


def test_no_token_stands_in_any_log(shelf, capfd):
    """A real server, every logger at its loudest: right and wrong tokens leave no trace."""
    doors = Doors()
    first = doors.token
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    # Other tests may have set uvicorn's loggers up: each is given the ear of its own.
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(1)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(make_app(shelf, doors), log_level="debug", access_log=False, log_config=None)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    wrong = "wrong-token-that-nobody-gave"
    try:
        for target in (f"/?token={wrong}", f"/run/a?token={first}", f"/x?token={first}&a=b"):
            with pytest.raises(HTTPError, match="403"):  # urllib follows without the cookie
                urllib.request.urlopen(f"http://127.0.0.1:{port}{target}")
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(f"GET /?token={first} HTTP/9.9\r\nbad\r\n\r\n".encode())
            raw.recv(1000)
        time.sleep(0.1)
    finally:
        server.should_exit = True
        thread.join()
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        listening.close()
    out, err = capfd.readouterr()
    heard = said.getvalue() + out + err
    assert "Application startup complete" in heard  # the ear was open
    assert first not in heard
    assert wrong not in heard
