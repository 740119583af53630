from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys

import pytest

from nucleate.core import UserError
from nucleate.views.page.serve import bound, serve


def command(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "nucleate.cli", "ui", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )


def get(port, target, cookie=""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", target, headers={"cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_the_command_prints_an_address_that_opens_the_page_once(shelf):
    process = command(shelf, "--port", "0")
    try:
        first = process.stdout.readline()
        port, token = re.fullmatch(
            r"Open http://127\.0\.0\.1:(\d+)/\?token=(\S{43})\n", first
        ).groups()
        answer, _ = get(int(port), f"/?token={token}")
        assert (answer.status, answer.getheader("location")) == (303, "/")
        cookie = answer.getheader("set-cookie").split(";")[0]
        answer, body = get(int(port), "/", cookie)
        assert answer.status == 200
        assert "<h1>Runs</h1>" in body
        assert answer.getheader("server") is None
        assert get(int(port), f"/?token={token}")[0].status == 403
        assert get(int(port), "/run/a")[0].status == 403
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert token not in out + err
    again = re.search(r"For another browser: http://127\.0\.0\.1:\d+/\?token=(\S{43})", out)
    assert again
    assert err == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_others_reach_is_refused_without_a_token(shelf, host):
    process = command(shelf, "--host", host, NUCLEATE_UI_TOKEN="")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == (
        f"nucleate: --host: others could reach this address (got '{host}', "
        "expected loopback, or a token of your own); set NUCLEATE_UI_TOKEN\n"
    )


def test_what_cannot_be_served_is_said(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        serve(tmp_path / "none")
    taken = bound("127.0.0.1", 0)
    try:
        with pytest.raises(UserError, match="cannot be bound"):
            bound("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()
