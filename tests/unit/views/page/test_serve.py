from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_no_process_outlives_the_server(shelf):
    """Killed without a chance to tidy up, the server takes its other processes along."""
    process = command(shelf, "--port", "0")
    process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not list the children of a process")

    def living():
        return [int(pid) for pid in children.read_text().split()]

    end = time.monotonic() + 60
    while len(living()) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    started = living()
    assert len(started) >= 2
    time.sleep(1.0)
    process.kill()
    process.communicate()
    while any(_alive(pid) for pid in started):
        assert time.monotonic() < end, "a process outlived the server"
        time.sleep(0.1)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
