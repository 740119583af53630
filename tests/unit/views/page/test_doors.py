from __future__ import annotations

import pytest

from nucleate.core import UserError
from nucleate.views.page.doors import Doors, host_name, is_loopback

REBOUND = [
    "evil.example",
    "evil.example:7860",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example#localhost",
    "[::2]",
    "192.168.1.4",
    "0.0.0.0",
    "",
    "localhost:x",
    "local host",
    "localhost/../x",
]


@pytest.mark.parametrize("header", REBOUND)
def test_other_names_are_not_answered(header):
    assert not Doors().answers_to(header)


@pytest.mark.parametrize("header", ["localhost", "LOCALHOST:1", "127.0.0.1:7860", "[::1]:80"])
def test_names_of_this_machine_are_answered(header):
    assert Doors().answers_to(header)


def test_more_names_and_addresses_beyond_loopback():
    assert Doors(names=("Studio.local",)).answers_to("studio.local:9")
    wide = Doors("0.0.0.0", given="x" * 16)
    assert wide.answers_to("192.168.1.4:7860")
    assert not wide.answers_to("evil.example")


def test_names_are_read_without_their_port():
    assert host_name("a.b-c:1") == "a.b-c"
    assert host_name("[::1]") == "[::1]"
    assert host_name("a:b") == host_name("a b") == host_name("[::1]x") == ""


def test_loopback():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "studio.local", "")))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "studio.local"])
def test_beyond_loopback_a_token_is_needed(host):
    with pytest.raises(UserError) as refused:
        Doors(host)
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith("--host: others could reach this address")
    assert Doors(host, given="x" * 16).token == "x" * 16


def test_a_short_token_is_refused_and_never_printed():
    with pytest.raises(UserError) as refused:
        Doors(given="hunter2")
    assert "too short" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "y" * 16 not in repr(Doors(given="y" * 16))


def test_a_made_token_opens_once_and_a_given_one_again():
    doors = Doors()
    token = doors.token
    session = doors.enter(token)
    assert session is not None
    assert doors.knows(session)
    assert doors.enter(token) is None
    assert doors.token != token
    assert not doors.knows(token)
    assert not doors.knows("")
    given = Doors(given="z" * 16)
    assert given.enter("z" * 16) != given.enter("z" * 16)
    assert given.enter("ü" * 16) is None


@pytest.mark.parametrize("host", ["127.0.0.2", "::1", "localhost", "127.0.0.1"])
def test_the_printed_address_is_answered(host):
    shown = f"[{host}]" if ":" in host else host
    assert Doors(host).answers_to(f"{shown}:7860")
    assert not Doors(host).answers_to("127.0.0.3:7860")
